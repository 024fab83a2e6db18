#include "common/tales/grammar.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/tales/scripts.h"

namespace gpt2::tale {
namespace {

using Text = std::string_view;
using Texts = std::vector<Text>;

// "a; b" at ';' gives "a", "b": without spaces around, without empty parts.
Texts split(Text text, char separator) {
  Texts parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    Text part = text.substr(0, end);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (!part.empty()) parts.push_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

template <class Row>
const Row& named(const std::vector<Row>& rows, Text name, Text script) {
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.name == name; });
  require(row != rows.end(), "tales: \"{}\": there is no \"{}\"", script, name);
  return *row;
}

bool is_letter(Text word) { return word.size() == 1 && word[0] >= 'A' && word[0] <= 'Z'; }

Kind kind_of(Text letter, Text script) {
  static const std::vector<std::pair<Text, Kind>> kinds = {
      {"ABC", Kind::person}, {"TU", Kind::thing}, {"PHSX", Kind::place},
      {"V", Kind::act},      {"R", Kind::riddle}, {"W", Kind::wish},
  };
  for (const auto& [letters, kind] : kinds) {
    if (is_letter(letter) && letters.find(letter) != Text::npos) return kind;
  }
  fail("tales: \"{}\": no kind has the letter {}", script, letter);
}

struct FormName {
  Text name;
  Kind kind;
  Form form;
};

Form form_of(Text name, Kind kind, Text script) {
  static const std::vector<FormName> forms = {
      {"", Kind::person, Form::subject},
      {"him", Kind::person, Form::object},
      {"his", Kind::person, Form::possessive},
      {"name", Kind::person, Form::name},
      {"a", Kind::person, Form::a},
      {"", Kind::thing, Form::bare},
      {"a", Kind::thing, Form::a},
      {"the", Kind::thing, Form::the},
      {"full", Kind::thing, Form::full},
      {"it", Kind::thing, Form::it},
      {"they", Kind::thing, Form::they},
      {"was", Kind::thing, Form::was},
      {"is", Kind::thing, Form::is},
      {"seed", Kind::thing, Form::compound},
      {"in", Kind::place, Form::in},
      {"to", Kind::place, Form::to},
      {"the", Kind::place, Form::place},
      {"in a", Kind::place, Form::in_a},
      {"a", Kind::place, Form::a_place},
      {"out", Kind::place, Form::out},
      {"", Kind::act, Form::first},
      {"past", Kind::act, Form::second},
      {"ing", Kind::act, Form::third},
      {"ask", Kind::riddle, Form::first},
      {"answer", Kind::riddle, Form::second},
      {"want", Kind::wish, Form::first},
      {"came", Kind::wish, Form::second},
      {"but", Kind::wish, Form::third},
      {"lesson", Kind::wish, Form::fourth},
  };
  for (const FormName& f : forms) {
    if (f.kind == kind && f.name == name) return f.form;
  }
  fail("tales: \"{}\": no form \"{}\" for this kind", script, name);
}

// The letters of a deed's head: "give B T A" has B, T, A.
int parameter(const Texts& letters, Text letter, Text script) {
  const auto found = std::find(letters.begin(), letters.end(), letter);
  require(found != letters.end(), "tales: \"{}\": {} is not a parameter", script, letter);
  return static_cast<int>(found - letters.begin());
}

Relation relation_of(Text word, Text script) {
  static const Texts words = {"at", "of", "feels", "is", "wants", "near"};  // as in Relation
  const auto found = std::find(words.begin(), words.end(), word);
  require(found != words.end(), "tales: \"{}\": no relation \"{}\"", script, word);
  return static_cast<Relation>(found - words.begin());
}

int value_of(Text word, Texts& values) {
  const auto found = std::find(values.begin(), values.end(), word);
  const auto index = found - values.begin();
  if (found == values.end()) values.push_back(word);
  return ~static_cast<int>(index);
}

std::vector<Fact> read_facts(Text script, const Texts& letters, Texts& values) {
  std::vector<Fact> facts;
  for (const Text text : split(script, ',')) {
    const Texts words = split(text, ' ');
    require(words.size() == 3, "tales: \"{}\": a fact has three words", text);
    const int object = is_letter(words[2]) ? parameter(letters, words[2], text) : value_of(words[2], values);
    const Relation relation = relation_of(words[1], text);
    require(object >= 0 || (relation != Relation::at && relation != Relation::near),
            "tales: \"{}\": a place is a parameter", text);
    facts.push_back({parameter(letters, words[0], text), relation, object});
  }
  return facts;
}

// The inside of a slot: "him A", "in a S", "one day". Writing it with a capital changes nothing.
void read_slot(Text slot, const Texts& letters, Text line, Piece& piece) {
  const Text last = split(slot, ' ').back();
  std::string name(slot);
  if (is_letter(last)) {
    name.resize(slot.size() - (slot.size() > 1 ? 2 : 1));
    piece.parameter = parameter(letters, last, line);
  }
  if (!name.empty() && name[0] < 'a') name[0] += 'a' - 'A';
  if (is_letter(last)) {
    piece.form = form_of(name, kind_of(last, line), line);
  } else {
    piece.filler = &named(fillers(), name, line);
  }
}

std::vector<Piece> read_line(Text line, const Texts& letters) {
  std::vector<Piece> pieces;
  for (Text rest = line; !rest.empty();) {
    const size_t open = std::min(rest.find('{'), rest.size());
    Piece piece{std::string(rest.substr(0, open))};
    std::replace(piece.literal.begin(), piece.literal.end(), '\'', '"');
    rest.remove_prefix(open);
    if (!rest.empty()) {
      const size_t close = rest.find('}');
      require(close != Text::npos && close > 1, "tales: \"{}\": a slot is empty or not closed", line);
      read_slot(rest.substr(1, close - 1), letters, line, piece);
      rest.remove_prefix(close + 1);
    }
    pieces.push_back(piece);
  }
  return pieces;
}

Deed read_deed(const DeedScript& script, Texts& values) {
  Texts letters = split(script.head, ' ');
  Deed deed{letters.at(0), script.head, {}, {}, {}, {}};
  letters.erase(letters.begin());
  for (const Text letter : letters) deed.parameters.push_back(kind_of(letter, script.head));
  deed.needs = read_facts(script.needs, letters, values);
  deed.makes = read_facts(script.makes, letters, values);
  for (const Text line : script.lines) deed.lines.push_back(read_line(line, letters));
  require(!deed.lines.empty(), "tales: \"{}\" has no lines", script.head);
  return deed;
}

void add_deeds(const std::vector<DeedScript>& scripts, Grammar& grammar) {
  for (const DeedScript& script : scripts) {
    Deed deed = read_deed(script, grammar.values);
    for (const Deed& other : grammar.deeds) {
      require(other.name != deed.name, "tales: \"{}\" has the name of \"{}\"", deed.head, other.head);
    }
    grammar.deeds.push_back(std::move(deed));
  }
}

Role read_role(Text script) {
  const Texts words = split(script, ' ');
  require(words.size() == 2 || words.size() == 3, "tales: \"{}\": a role is \"name [adjective] group\"",
          script);
  Role role{words.front(), &named(groups(), words.back(), script), std::nullopt};
  if (words.size() == 3) role.adjective = words[1];
  return role;
}

Call read_call(Text script, const std::vector<Role>& cast, const std::vector<Deed>& deeds) {
  const Texts words = split(script, ' ');
  Call call{&named(deeds, words.at(0), script), {}};
  const std::vector<Kind>& kinds = call.deed->parameters;
  require(words.size() == kinds.size() + 1, "tales: \"{}\" is not \"{}\"", script, call.deed->head);
  for (size_t i = 0; i < kinds.size(); ++i) {
    const Role& role = named(cast, words[i + 1], script);
    require(role.group->kind == kinds[i], "tales: \"{}\": {} is of another kind than in \"{}\"", script,
            role.name, call.deed->head);
    call.roles.push_back(static_cast<int>(&role - cast.data()));
  }
  return call;
}

Step read_step(Text script, const std::vector<Role>& cast, const std::vector<Deed>& deeds) {
  Step step{script.substr(0, 1) == "?", {}};
  for (const Text way : split(script.substr(step.optional ? 1 : 0), '|')) {
    step.ways.emplace_back();
    for (const Text call : split(way, ';')) step.ways.back().push_back(read_call(call, cast, deeds));
  }
  return step;
}

Grammar read_grammar() {
  Grammar grammar;
  std::vector<PlotScript> scripts;
  for (const auto& table : {plots_about_things(), plots_about_adventures(), plots_about_lessons()}) {
    scripts.insert(scripts.end(), table.begin(), table.end());
  }
  add_deeds(shared_deeds(), grammar);
  for (const PlotScript& plot : scripts) add_deeds(plot.deeds, grammar);
  for (const PlotScript& script : scripts) {
    Plot plot{script.name, {}, {}};
    for (const Text role : script.cast) plot.cast.push_back(read_role(role));
    require(plot.cast.size() <= kMaxCast, "tales: \"{}\": more than {} roles", plot.name, kMaxCast);
    for (const Text step : script.script) plot.steps.push_back(read_step(step, plot.cast, grammar.deeds));
    grammar.plots.push_back(std::move(plot));
  }
  return grammar;
}

}  // namespace

// Plots point to deeds: the grammar is built in place and never copied.
const Grammar& grammar() {
  static const Grammar instance = read_grammar();
  return instance;
}

}  // namespace gpt2::tale
