"""`python -m medasst` is `medasst`."""

from medasst.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
