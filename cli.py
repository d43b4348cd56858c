from pyanamo_async.cli import main

if __name__ == "__main__":
    main()
