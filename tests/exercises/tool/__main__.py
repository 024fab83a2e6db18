"""./course exercise VERB ..., submit, grade, handout, gradescope: tests/exercises/run calls this."""

import argparse
import sys

import grade
import gradescope
import handout
import learner
import submission
import verify
from builds import CompileError
from errors import CourseError


class Parser(argparse.ArgumentParser):
    def error(self, message):
        verb = self.prog.split()[1]
        raise CourseError(f"{verb}: {message} (./course {verb} --help)")


def parser():
    top = Parser(prog="./course exercise", allow_abbrev=False, add_help=False)
    verbs = top.add_subparsers(dest="verb")
    for name, run in [
        ("list", learner.list_all),
        ("start", learner.start),
        ("run", learner.run),
        ("check", learner.check),
        ("watch", learner.watch),
        ("hint", learner.hint),
        ("solution", learner.solution),
        ("reset", learner.reset),
        ("verify", verify.verify),
    ]:
        verb = verbs.add_parser(name, allow_abbrev=False, add_help=False)
        verb.set_defaults(run=run)
        if name == "verify":
            verb.add_argument("ids", nargs="*")
            for flag in ("--full", "--again", "--verbose"):
                verb.add_argument(flag, action="store_true")
            verb.add_argument("--seeds", type=int)
        elif name != "list":
            verb.add_argument("id")
        if name == "run":
            verb.add_argument("flags", nargs=argparse.REMAINDER)
        if name == "start":
            verb.add_argument("--student")
        if name == "solution":
            verb.add_argument("--give-up", action="store_true")
    prepare = verbs.add_parser("prepare", add_help=False)
    prepare.set_defaults(run=grade.prepare)
    prepare.add_argument("--tests", action="store_true")
    prepare.add_argument("--private")
    return top


def teaching_parser(name):
    """The verbs beside `exercise`."""
    verb = Parser(prog=f"./course {name}", allow_abbrev=False, add_help=False)
    if name == "submit":
        verb.set_defaults(run=submission.submit)
        verb.add_argument("ids", nargs="+")
    elif name == "grade":
        verb.set_defaults(run=grade.grade)
        grade.add_options(verb)
    else:
        verb.set_defaults(run=handout.handout if name == "handout" else gradescope.gradescope)
        verb.add_argument("--out", required=True)
        for flag in ("--exercises", "--steps") if name == "handout" else ("--private",):
            verb.add_argument(flag)
    return verb


def main(words):
    try:
        name, words = words[0], words[1:]
        options = (
            parser().parse_args(words or ["list"])
            if name == "exercise"
            else teaching_parser(name).parse_args(words)
        )
        return options.run(options) or 0
    except (CourseError, CompileError) as error:
        print(f"course: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


sys.exit(main(sys.argv[1:]))
