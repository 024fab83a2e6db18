"""./course exercise VERB ...: tests/exercises/run calls this."""
import argparse
import sys

import learner
import verify
from builds import CompileError
from errors import CourseError


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise CourseError(f"exercise: {message} (./course exercise --help)")


def parser():
    top = Parser(prog="./course exercise", allow_abbrev=False, add_help=False)
    verbs = top.add_subparsers(dest="verb")
    for name, run in [("list", learner.list_all), ("start", learner.start), ("run", learner.run), ("check", learner.check), ("watch", learner.watch),
                      ("hint", learner.hint), ("solution", learner.solution), ("reset", learner.reset), ("verify", verify.verify)]:
        verb = verbs.add_parser(name, allow_abbrev=False, add_help=False)
        verb.set_defaults(run=run)
        if name == "verify":
            verb.add_argument("ids", nargs="*")
            for flag in ("--full", "--again", "--verbose"):
                verb.add_argument(flag, action="store_true")
        elif name != "list":
            verb.add_argument("id")
        if name == "run":
            verb.add_argument("flags", nargs=argparse.REMAINDER)
        if name == "start":
            verb.add_argument("--student")
        if name == "solution":
            verb.add_argument("--give-up", action="store_true")
    return top


def main(words):
    try:
        options = parser().parse_args(words or ["list"])
        return options.run(options) or 0
    except (CourseError, CompileError) as error:
        print(f"course: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


sys.exit(main(sys.argv[1:]))
