"""Where the commands of `command_script` end otherwise with our engine than with Docker's (20.10),
or otherwise with a newer client than with that of 20.10, and why that is right.

Each is a pattern of commands, one of the lines that differ (`+` ours, `-` Docker's), and a reason.
"""

WORDS = "the words of newer engines"

OF_ENGINES = (
    # What the machine and the engine are made of.
    ("image inspect machine", "*DockerVersion*", "no Docker made it"),
    ("image inspect machine", "*Dir*", "an image is not mounted by itself"),
    ("volume inspect one", "*Mountpoint*", "another folder of the machine"),
    ("run *", "*failed to create *task*", "no runc in the sentence of a runtime"),
    ("start six", "*failed to create *task*", "no runc in the sentence of a runtime"),
    ("run * --privileged *", "*", "runc can't give capabilities that the machine doesn't have"),
    ("exec --privileged *", "*", "runc can't give capabilities that the machine doesn't have"),
    ("exec host *nosuch*", "exit code: 127, not 126", "not found is 127 since Docker 25"),
    ("stats *", "? <id>*", "Docker's bridges speak IPv6, which counts as traffic"),
    ("top host*", "*  sleep 1000", "other processes"),
    ("ps -a --format *LocalVolumes*", "*made|*…|1|bridge", "the random names of volumes"),
    ("history built:1 *", "*COPY file:*", "files are summed up in another way"),
    # Networks.
    ("run * --add-host *", "*<id>", "the default bridge has a range of the engine's own"),
    ("network rm back", "*active endpoints*", "who they are is told, as since Docker 24"),
    ("network inspect shut*", "*10.88.1.0/24*", "the gateway that was chosen is told, too"),
    ("inspect *NetworkMode*", "*", "the default network is named since Docker 26"),
    ("run * cat /etc/hosts", "*ip6-*", "addresses of IPv6 are written as short as can be"),
    ("run * --dns *", "order of the lines", "the name servers come first since Docker 25"),
    # Order, and what the words of an error are.
    ("diff box", "order of the lines", "by paths"),
    ("images --filter since=*", "order of the lines", "made within a second"),
    ("save nosuch", "*no such image*", "the tag that was meant is told"),
    ("image prune -f", "*reclaimed space*", "an image's documents count, too"),
    ("kill -s 99 one", "*does not support signal 99", WORDS),
    ("load -i plain", "*", "another reader of archives"),
    ("update --restart nosuch two", "*invalid restart policy*", WORDS),
    ("ps -af *=nosuch", "? error response from daemon: *", WORDS),
    ("network create *", "*pool overlaps*", WORDS),
    ("network create *", "*invalid subnet*", WORDS),
    ("run * --network container:*", "*cannot join network*", WORDS),
    ("run * container:nosuch *", "? see 'docker run --help'.", "known when it is created"),
    ("build * context/odd *", "*parse error*", WORDS),
    ("events *", "*exitCode*", "the duration is told since Docker 23"),
    ("volume rm one", "*volume is in use*", "all that hold it are told"),
    ("run * nosuch.invalid/image", "*https://nosuch.invalid/v2/*", "names are not asked for in Go"),
    ("* localhost:1*", "*dial tcp*", "the name is told, not its address"),
    ("create nosuch", "*", "names are not asked for in Go"),
)

OF_CLIENTS = (
    ("image inspect machine", "*", "fields of old engines are gone since 1.45 and 1.50"),
    ("build *", "error output*", "the newer one says that the classic builder is deprecated"),
    ("run * --ip 10.1.1.1 *", "*", "the newer one sends the address for the default bridge"),
    ("run * --network-alias *", "*", "the newer one refuses aliases on the default bridge"),
    ("inspect *MacAddress*", "*", "the newer one asks for the address on the network"),
    ("network inspect back", "*EnableIPv4*", "newer than 1.41"),
    ("volume inspect one", "*", "nothing is sent as nothing, and not as an empty object"),
    ("volume prune *", "*", "since 1.42 only volumes without names"),
    ("volume ls *", "*", "since 1.42 volumes with names outlive a prune"),
    ("system prune *", "*", "since 1.42 only volumes without names"),
    ("stats *", "? <id>*", "numbers of another moment"),
    ("top host*", "*  sleep 1000", "other processes"),
    ("ps -a --format *LocalVolumes*", "*made|*…|1|bridge", "the random names of volumes"),
    ("images --filter since=*", "order of the lines", "made within a second"),
)
