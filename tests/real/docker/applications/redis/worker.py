"""Takes orders out of the queue, one at a time."""

from store import ask

if __name__ == "__main__":
    print("ready")
    while True:
        taken = ask("BRPOP", "orders", "5")
        if taken:
            ask("SADD", "done", taken[1])
            print("did", taken[1])
