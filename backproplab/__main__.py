"""python -m backproplab: the command line."""

from backproplab.cli import main

if __name__ == "__main__":
    main()
