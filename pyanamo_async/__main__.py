"""`python -m pyanamo_async` is `pyanamo`."""

from pyanamo_async.cli.main import main

if __name__ == "__main__":
    main()
