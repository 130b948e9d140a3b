"""Start of the program: `python main.py --help` lists the commands."""

import sys

from annotator.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
