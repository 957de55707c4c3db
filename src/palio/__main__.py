"""Let `python -m palio` do what `palio` does; processes that we start call it so."""

from palio.cli import main

if __name__ == "__main__":
    main()
