#include "common/tales/teller.h"

namespace gpt2::tale {

static std::string_view after(std::string_view text, size_t n) {
  return text.substr(text.size() < n ? 0 : text.size() - n);
}

// At the beginning of a line and of a quote, and after a full stop. After `!"` and `?"` the sentence goes on
// ("Who?" she asked), after `."` it does not.
static bool begins_sentence(std::string_view text) {
  if (text.empty() || text.back() == '"') return true;
  const std::string_view end = after(text, 2);
  return end == ". " || end == "! " || end == "? " || after(text, 3) == ".\" ";
}

static void say_full(std::string& text, const Entity& entity) {
  if (!entity.adjective.empty()) text.append(entity.adjective) += ' ';
  text += entity.noun;
}

static void say_with_article(std::string& text, const Entity& entity) {
  const char first = entity.adjective.empty() ? entity.noun[0] : entity.adjective[0];
  text += std::string_view("aeiou").find(first) == std::string_view::npos ? "a " : "an ";
  say_full(text, entity);
}

std::string Teller::tell(const Deed& deed, const std::vector<int>& roles) {
  std::string text;
  text.reserve(128);
  ++line_;
  for (const Piece& piece : random_.pick(deed.lines)) {
    text += piece.literal;
    const bool capital = begins_sentence(text);
    const size_t start = text.size();
    if (piece.parameter >= 0) say(text, piece.form, roles[piece.parameter]);
    if (piece.filler) text += random_.pick(piece.filler->choices);
    if (capital && start < text.size() && text[start] >= 'a') text[start] += 'A' - 'a';
  }
  return text;
}

void Teller::say(std::string& text, Form form, int entity) {
  const Entity& e = cast_[entity];
  switch (e.kind) {
    case Kind::person:
      return say_person(text, form, entity);
    case Kind::thing:
      return say_thing(text, form, entity);
    case Kind::place:
      return say_place(text, form, *e.word);
    default:
      text += (*e.word)[static_cast<int>(form) - static_cast<int>(Form::first)];
  }
}

void Teller::say_person(std::string& text, Form form, int entity) {
  const Entity& e = cast_[entity];
  if (form == Form::a) return say_with_article(text, e);
  if (form != Form::name && use_pronoun(entity)) {
    const bool she = e.pronoun == Pronoun::she;
    if (form == Form::subject) text += she ? "she" : "he";
    if (form == Form::object) text += she ? "her" : "him";
    if (form == Form::possessive) text += she ? "her" : "his";
    return mention(entity, true);
  }
  if (e.name.empty()) {
    say_definite(text, e);
  } else {
    text += e.name;
  }
  if (form == Form::possessive) text += "'s";
  mention(entity, false);
}

void Teller::say_thing(std::string& text, Form form, int entity) {
  const Entity& e = cast_[entity];
  const bool many = e.pronoun == Pronoun::they;
  if (form == Form::was) return void(text += many ? "were" : "was");
  if (form == Form::is) return void(text += many ? "are" : "is");
  if (form == Form::compound) return void(text += (*e.word)[2]);
  if ((form == Form::it || form == Form::they) && use_pronoun(entity)) {
    text += !many ? "it" : form == Form::it ? "them" : "they";
    return mention(entity, true);
  }
  switch (form) {
    case Form::a:
      if (many) {
        say_full(text += "some ", e);
      } else {
        say_with_article(text, e);
      }
      break;
    case Form::full:
      say_full(text, e);
      break;
    case Form::bare:
      text += e.noun;
      break;
    default:
      say_definite(text, e);
  }
  mention(entity, false);
}

// "the ball", now and then "the red ball".
void Teller::say_definite(std::string& text, const Entity& entity) {
  text += "the ";
  if (random_.one_in(4)) {
    say_full(text, entity);
  } else {
    text += entity.noun;
  }
}

void Teller::say_place(std::string& text, Form form, const Word& word) {
  const auto& [preposition, definite, indefinite, way_out] = word;
  if (form == Form::in || form == Form::in_a) text.append(preposition) += ' ';
  if (form == Form::to) text += "to ";
  if (form == Form::out) {
    text += way_out;
  } else {
    text += form == Form::in_a || form == Form::a_place ? indefinite : definite;
  }
}

// A pronoun means the entity it was last used for. It may follow the name in the same line, or take it up
// from the line before, but after two such lines the name is due again.
bool Teller::use_pronoun(int entity) {
  const Pronoun pronoun = cast_[entity].pronoun;
  const Mention& last = mentions_[entity];
  if (pronoun == Pronoun::none || meant_[static_cast<int>(pronoun)] != entity) return false;
  if (last.line == line_) return true;
  return last.line == line_ - 1 && last.named >= line_ - 2 && !random_.one_in(5);
}

void Teller::mention(int entity, bool by_pronoun) {
  mentions_[entity].line = line_;
  if (!by_pronoun) mentions_[entity].named = line_;
  meant_[static_cast<int>(cast_[entity].pronoun)] = entity;
}

}  // namespace gpt2::tale
