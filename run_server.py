"""Start the server: python run_server.py --home data --data-root FOLDER"""

from commands.serve import main

if __name__ == "__main__":
    main()
