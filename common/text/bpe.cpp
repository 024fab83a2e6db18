#include "common/text/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <nlohmann/json.hpp>
#include <queue>
#include <unordered_map>
#include <utility>

#include "common/base/error.h"
#include "common/base/json.h"
#include "common/base/text_file.h"
#include "common/text/pretokenizer.h"

namespace gpt2 {
namespace {

constexpr int32_t kNone = -1;  // neither an id nor a rank

uint64_t pair_of(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

std::pair<std::string, std::string> split_merge(std::string_view line, const std::string& where) {
  const size_t space = line.find(' ');
  const bool one_space = space != line.npos && line.find(' ', space + 1) == line.npos;
  if (!one_space || line.front() == ' ' || line.back() == ' ')
    fail("{}: {} is not a merge, which is two tokens with a space between", where,
         escaped(std::string(line)));
  return {std::string(line.substr(0, space)), std::string(line.substr(space + 1))};
}

int32_t id_of(const std::string& token, const Vocabulary& vocabulary, const std::string& where) {
  const auto found = vocabulary.ids.find(token);
  if (found == vocabulary.ids.end())
    fail("{}: token {} is not in {}; use the two files of one tokenizer", where, escaped(token),
         vocabulary.name);
  return found->second;
}

}  // namespace

Merge make_merge(const std::string& left, const std::string& right, const Vocabulary& vocabulary,
                 const std::string& where) {
  return {id_of(left, vocabulary, where), id_of(right, vocabulary, where),
          id_of(left + right, vocabulary, where)};
}

std::vector<Merge> without_repeats(const std::vector<Merge>& merges) {
  std::unordered_map<uint64_t, size_t> last;  // index of each pair's last occurrence
  for (size_t i = 0; i < merges.size(); ++i) last[pair_of(merges[i].left, merges[i].right)] = i;
  std::vector<Merge> unique;
  unique.reserve(last.size());
  for (size_t i = 0; i < merges.size(); ++i)
    if (last.at(pair_of(merges[i].left, merges[i].right)) == i) unique.push_back(merges[i]);
  return unique;
}

std::vector<Merge> parse_merges(std::string_view text, const std::string& name,
                                const Vocabulary& vocabulary) {
  text = skip_byte_order_mark(text, name);
  std::vector<Merge> merges;
  for (int number = 1; !text.empty(); ++number) {
    const std::string_view line = take_line(text);
    const std::string where = fmt::format("{}, line {}", name, number);
    if (line.find('\r') != line.npos)
      fail("{}: lines end in CR alone; make lines that end in LF with: tr '\\r' '\\n' < {} > lines.txt",
           where, name);
    if (number == 1 && line.starts_with("#version")) continue;
    const auto [left, right] = split_merge(line, where);
    merges.push_back(make_merge(left, right, vocabulary, where));
  }
  return without_repeats(merges);
}

void require_all_made(const Vocabulary& vocabulary, const std::vector<Merge>& merges,
                      const std::string& name) {
  std::vector<bool> is_made(vocabulary.bytes.size());
  for (const int32_t id : vocabulary.byte_ids) is_made[id] = true;
  for (const AddedToken& token : vocabulary.added) is_made[token.id] = true;
  for (const Merge& merge : merges) is_made[merge.result] = true;
  for (size_t id = 0; id < is_made.size(); ++id) {
    const std::string& bytes = vocabulary.bytes[id];
    std::string_view piece;
    const bool is_learned = !is_made[id] && Pieces(bytes).next(piece) && piece.size() == bytes.size();
    if (is_learned)
      fail(
          "{}: no merge makes the token {} (id {}) of {}; the file is damaged or belongs to another "
          "tokenizer",
          name, escaped(bytes), id, vocabulary.name);
  }
}

BpeTokenizer::BpeTokenizer(Vocabulary vocabulary, std::vector<Merge> merges)
    : vocabulary_(std::move(vocabulary)), merges_(std::move(merges)) {
  ranks_.assign(std::bit_ceil(2 * merges_.size() + 1), kNone);
  for (size_t rank = 0; rank < merges_.size(); ++rank)
    ranks_[slot_of(merges_[rank].left, merges_[rank].right)] = static_cast<int32_t>(rank);
}

// The slot of the pair in ranks_, or the free slot for it. Half of the slots are free, so the search ends.
size_t BpeTokenizer::slot_of(int32_t left, int32_t right) const {
  constexpr uint64_t kGoldenRatio =
      0x9E3779B97F4A7C15;  // Knuth, TAOCP 6.4: the product's high bits are mixed
  const size_t mask = ranks_.size() - 1;
  for (size_t slot = pair_of(left, right) * kGoldenRatio >> 32;; ++slot) {
    const int32_t rank = ranks_[slot & mask];
    if (rank == kNone || (merges_[rank].left == left && merges_[rank].right == right)) return slot & mask;
  }
}

std::vector<int32_t> BpeTokenizer::encode(std::string_view text) const {
  // Words repeat, so the ids of a piece that occurred before are copied from there. Pieces with equal hash
  // replace each other, so the table stays small enough for the CPU's cache.
  struct Occurrence {
    std::string_view piece;
    size_t begin, end;  // range of its ids
  };
  constexpr size_t kMaxSlots = 1 << 16;
  std::vector<Occurrence> seen(std::bit_ceil(std::clamp<size_t>(text.size() / 16, 1, kMaxSlots)));
  std::vector<int32_t> ids;
  Pieces pieces(text);
  for (std::string_view piece; pieces.next(piece);) {
    Occurrence& last = seen[std::hash<std::string_view>()(piece) & (seen.size() - 1)];
    const size_t begin = ids.size();
    if (last.piece == piece) {
      for (size_t i = last.begin; i < last.end; ++i) ids.push_back(ids[i]);
    } else {
      encode_piece(piece, ids);
    }
    last = {piece, begin, ids.size()};
  }
  return ids;
}

void BpeTokenizer::encode_piece(std::string_view piece, std::vector<int32_t>& ids) const {
  // The tokens so far are a linked list over the piece's positions; a token is at the position of its first
  // byte.
  struct Part {
    int32_t id;
    size_t previous, next;
  };
  const size_t n = piece.size();
  std::vector<Part> parts(n + 1, Part{kNone, n, n});  // the last one marks the end of the list
  // A heap of the merges that may apply, the next one on top. Each is one integer: the rank, then the left
  // part's position in the low bits. (Integers compare twice as fast as pairs, and a long piece spends most
  // time in the heap.)
  constexpr int kPositionBits = 33;
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> candidates;
  const auto consider = [&](size_t left) {
    const int32_t rank = ranks_[slot_of(parts[left].id, parts[parts[left].next].id)];
    if (rank != kNone) candidates.push(uint64_t{static_cast<uint32_t>(rank)} << kPositionBits | left);
  };
  for (size_t i = 0; i < n; ++i)
    parts[i] = {vocabulary_.byte_ids[static_cast<unsigned char>(piece[i])], i - 1, i + 1};
  for (size_t i = 0; i < n; ++i) consider(i);
  while (!candidates.empty()) {
    const Merge& merge = merges_[candidates.top() >> kPositionBits];
    const size_t left = candidates.top() & ((uint64_t{1} << kPositionBits) - 1);
    candidates.pop();
    const size_t right = parts[left].next;
    if (parts[left].id != merge.left || parts[right].id != merge.right) continue;  // already merged
    parts[left].id = merge.result;
    parts[left].next = parts[right].next;
    parts[right].id = kNone;
    parts[parts[left].next].previous = left;
    consider(left);
    if (left > 0) consider(parts[left].previous);
  }
  for (size_t i = 0; i < n; i = parts[i].next) ids.push_back(parts[i].id);
}

std::string BpeTokenizer::decode(std::span<const int32_t> ids) const { return join(ids, vocabulary_.bytes); }

std::optional<int32_t> BpeTokenizer::end_of_text() const {
  for (const AddedToken& token : vocabulary_.added)
    if (token.text == kEndOfText) return token.id;
  return std::nullopt;
}

std::vector<Tokenizer::File> BpeTokenizer::files() const {
  std::vector<std::string_view> spelling(vocabulary_.bytes.size());  // of each id; empty if it has none
  for (const auto& [token, id] : vocabulary_.ids) spelling[id] = token;
  std::string merges = "#version: 0.2\n";  // transformers always skips the first line
  for (const Merge& merge : merges_)
    merges += fmt::format("{} {}\n", spelling[merge.left], spelling[merge.right]);
  std::vector<File> files = {{"vocab.json", nlohmann::json(vocabulary_.ids).dump() + "\n"},
                             {"merges.txt", merges}};
  nlohmann::json added;
  for (const AddedToken& token : vocabulary_.added)  // <|endoftext|> in the vocabulary need not be listed
    if (token.text != kEndOfText || spelling[token.id].empty()) added[token.text] = token.id;
  if (!added.is_null()) files.push_back({"added_tokens.json", added.dump() + "\n"});
  return files;
}

}  // namespace gpt2
