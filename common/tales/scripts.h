// The tales as their author writes them: deeds that many plots share (deeds.cpp), and plots, each with its
// own deeds (plots_*.cpp). grammar.h parses them into a form that can be told quickly, and reports mistakes.
//
// since 01_module
#pragma once

#include <string_view>
#include <vector>

namespace gpt2::tale {

// A deed is an event that can happen, with the ways to tell it:
//
//   head   "give B T A": a name and its parameters. A letter says the kind: A B C person, T U thing,
//          P H S X place, V act, R riddle, W wish.
//   needs  "T at B, A near B": what must be true before. A thing is at its holder or at a place. "near" means
//          in the same place at any depth (a ball under a bush in the park is near a girl in the park).
//   makes  "T at A": what is true afterwards. Relations: at, of (owner), feels, is, wants; and "B near A"
//          puts B where A is.
//   lines  the paraphrases: one or two sentences each, all with the same meaning. Direct speech is written
//          between ' and ' and printed with " (so a line cannot contain an apostrophe, as in can't).
//
// A slot {form X} in a line is filled for parameter X, and {word} with one of a filler's choices:
//   person  {A} she or Mia   {him A}   {his A}   {name A} never a pronoun   {a A} a brave girl
//   thing   {a T} a red ball   {the T} the ball   {T} ball   {full T} red ball   {it T} it, them
//           {they T} it, they   {was T}   {is T}   {seed T} carrot
//   place   {in P} in the forest   {to P}   {the P}   {a P} an old barn   {in a P}   {out P}
//   act     {V} sing songs   {past V}   {ing V}
//   riddle  {ask R} {answer R}
//   wish    {want W} {came W} {but W} {lesson W}
// A pronoun is used where it can only mean X; elsewhere the name or noun is used. The teller adds capital
// letters.
struct DeedScript {
  std::string_view head, needs, makes;
  std::vector<std::string_view> lines;
};

// A story: its cast ("role group" or "role adjective group"), what happens, and the deeds that it adds to the
// shared ones (all plots may use their names).
//   "give friend toy hero"         a deed with roles for its parameters
//   "? love hero act"              told in half of the stories
//   "deed ...; deed ... | deed"    one of these ways
struct PlotScript {
  std::string_view name;
  std::vector<std::string_view> cast, script;
  std::vector<DeedScript> deeds;
};

const std::vector<DeedScript>& shared_deeds();
const std::vector<PlotScript>& plots_about_things();      // lost and found, a trade, the truth, a secret
const std::vector<PlotScript>& plots_about_adventures();  // a storm, a rescue, a race, a noise in the night
const std::vector<PlotScript>& plots_about_lessons();     // a wish, a garden, a riddle, a kind deed

}  // namespace gpt2::tale
