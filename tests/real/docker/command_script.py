"""What people type: commands of Docker's, in groups that each begin with the image `machine` alone.

A line is the words after `docker`, quoted as for a shell; `< NAME` and `> NAME` at its end are
files in the folder in which it runs, where those of `FILES` are. `BEGUN` stands for the time at
which the group did.
"""

FILES = {
    "context/Dockerfile": "FROM machine\nCOPY file /file\nLABEL by=build\nEXPOSE 80\n"
    'ENV A=1\nVOLUME /kept\nWORKDIR /tmp\nUSER app\nSTOPSIGNAL INT\nCMD ["cat", "/file"]\n',
    "context/file": "of the context\n",
    "context/odd": "FROM machine\nNOSUCH instruction\n",
    "words.env": "# a remark\nCOLOUR=red\nEMPTY=\n",
    "labels": "tier=front\nsize=large\n",
    "plain": "plain text\n",
}

GROUPS: dict[str, str] = {}

GROUPS["images"] = """
images
images --no-trunc --quiet
images --format '{{.Repository}} {{.Tag}} {{.Size}} {{.Digest}}'
tag machine shop/web:1
tag machine shop/web:2
tag machine localhost:5000/web
tag nosuch shop/other
tag machine UPPER
tag machine shop/web:a:b
images shop/web
images shop/*:2
images -a --digests shop/web
images --filter reference=shop/web:1 --format '{{.Tag}}'
images --filter before=machine -q
images --filter dangling=true
images --filter label=none
images --filter nosuch=1
image ls nosuch
history machine --format '{{.CreatedBy}}|{{.Size}}|{{.Comment}}'
history -q machine
history nosuch
inspect machine --format '{{.Os}} {{.Architecture}} {{.Config.Cmd}} {{len .RootFS.Layers}}'
image inspect machine
image inspect nosuch
image inspect shop/web:1 nosuch -f '{{json .RepoTags}}'
inspect --type image machine -f '{{.Author}}|{{.Comment}}|{{.Parent}}|{{.Size}}'
inspect --type container machine
inspect --type volume machine
rmi shop/web:1
rmi shop/web:1
rmi nosuch shop/web:2
rmi localhost:5000/web:latest nosuch:1
image rm -f nosuch
create --name holds machine true
rmi machine
rmi -f nosuch
tag machine kept:1
rmi kept:1
rm holds
"""

GROUPS["archives of images"] = """
tag machine shop/web:1
save -o one.tar shop/web:1
save shop/web:1 > two.tar
save nosuch
save
rmi shop/web:1
load -i one.tar
load < two.tar
load -q -i one.tar
load -i nosuch.tar
load -i plain
rmi shop/web:1
create --name whole machine true
export -o root.tar whole
export whole > other.tar
export nosuch
import -c 'CMD ["cat", "/etc/passwd"]' -c 'LABEL a=b' -m told root.tar again:1
import - < other.tar
import -c 'RUN no' root.tar again:2
import nosuch.tar
import root.tar UPPER:1
run --rm again:1
inspect -f '{{json .Config.Cmd}} {{json .Config.Labels}} {{.Comment}}' again:1
history again:1
images -f dangling=true
image prune -f
image prune -af
images
"""

GROUPS["commit and build"] = """
run --name work machine sh -c 'echo made > /made'
commit work made:1
commit -a me -m 'a change' -c 'CMD ["cat", "/made"]' -c 'ENV A=b' work made:2
commit -c 'NOSUCH a' work made:3
commit nosuch
commit work UPPER
run --rm made:2
inspect -f '{{.Author}}|{{.Comment}}|{{.Config.Env}}|{{.Config.Cmd}}' made:2
history made:2
history --no-trunc --format '{{.CreatedBy}}' made:1
build -q -t built:1 context
inspect -f '{{json .Config.Labels}} {{json .Config.ExposedPorts}} {{.Config.User}}' built:1
inspect -f '{{.Config.Env}} {{.Config.WorkingDir}} {{.Config.StopSignal}}' built:1
inspect -f '{{json .Config.Volumes}} {{.Config.Cmd}}' built:1
history built:1 --format '{{.CreatedBy}}'
run --rm built:1
run --rm built:1 sh -c 'id -un; pwd; echo $A'
build -q -f context/odd context
build -q -f context/nosuch context
build -q nosuch
build -q -t UPPER context
build -q --target nosuch context
images --filter label=by=build --format '{{.Repository}}'
images --filter since=machine --format '{{.Repository}}:{{.Tag}}'
rmi made:1
image prune -f --filter label=none
rm work
"""

GROUPS["run"] = """
run --rm machine true
run --rm machine false
run --rm machine sh -c 'echo out; echo err >&2; exit 7'
run --rm machine nosuch
run --rm machine /etc
run --rm machine /nosuch/program
run --rm nosuch.invalid/image
run --rm --pull never nosuch
run --rm -i machine cat < plain
run --rm -e A=1 -e B= --env-file words.env machine sh -c 'echo $A-$B-$COLOUR-$EMPTY'
run --rm -e A=1 machine env
run --rm -w /tmp/made -u app machine sh -c 'pwd; id'
run --rm -u 12:34 machine id
run --rm -u nosuch machine id
run --rm -u root:nosuch machine id
run --rm --group-add extra --group-add 77 -u app machine id
run --rm -h named --domainname far machine sh -c 'cat /etc/hostname; cat /proc/sys/kernel/hostname'
run --rm --add-host other:10.1.2.3 machine cat /etc/hosts
run --rm --dns 10.9.9.9 --dns-search far --dns-option ndots:3 machine cat /etc/resolv.conf
run --rm --entrypoint cat machine a b
run --rm --entrypoint '' machine true
run --rm --read-only machine touch /x
run --rm --read-only --tmpfs /tmp machine touch /tmp/x
run --rm --network none machine ls /sys/class/net
run --rm --network nosuch machine true
run --rm --ip 10.1.1.1 machine true
run --rm --init machine sh -c 'kill -9 $$'
run --rm --ulimit nofile=77:88 machine sh -c 'ulimit -n; ulimit -Hn'
run --rm --ulimit nosuch=1 machine true
run --rm --sysctl net.ipv4.ip_forward=0 machine cat /proc/sys/net/ipv4/ip_forward
run --rm --sysctl kernel.nosuch=1 machine true
run --rm --cap-drop ALL machine perl -e 'open F, "/proc/self/status"; print grep /CapEff/, <F>'
run --rm --cap-add SYS_ADMIN machine perl -e 'open F, "/proc/self/status"; print grep /CapEff/, <F>'
run --rm --privileged machine perl -e 'open F, "/proc/self/status"; print grep /CapEff/, <F>'
run --rm --cap-add NOSUCH machine true
run --rm --security-opt no-new-privileges machine perl -e 'open F, "/proc/self/status"; print \
grep /NoNewPrivs|Seccomp:/, <F>'
run --rm --security-opt seccomp=unconfined machine perl -e 'open F, "/proc/self/status"; print \
grep /Seccomp:/, <F>'
run --rm --security-opt nosuch=1 machine true
run --rm --shm-size 8m machine perl -e 'open F, "/proc/mounts"; print grep m./dev/shm., <F>'
run --rm --tmpfs /t:size=1m,mode=700 machine perl -e 'open F, "/proc/mounts"; print grep m. /t ., \
<F>'
run --rm --device /dev/null:/dev/other:r machine ls /dev/other
run --rm --device /dev/nosuch machine true
run --rm --pid host machine sh -c 'exit 0'
run --rm --pid nosuch machine true
run --rm --ipc none machine ls -d /dev/shm
run --rm --uts host machine true
run --rm -v /nosuch/relative:relative machine true
run --rm -v relative/path:/x machine true
run --rm --mount type=bind,source=/nosuch,target=/x machine true
run --rm --mount type=tmpfs,target=/x,tmpfs-size=4096 machine ls -d /x
run --rm --mount type=nosuch,target=/x machine true
run --rm -m 1k machine true
run --rm -m 64m --memory-swap 32m machine true
run --rm --cpus 1000 machine true
run --rm --cpuset-cpus 99 machine true
run --rm --restart always machine true
run --rm --restart nosuch machine true
run --rm --restart on-failure:-1 machine true
run --rm -p 80:nosuch machine true
run --rm -p 99999:80 machine true
run --rm --name 'a b' machine true
run --rm --stop-signal NOSUCH machine true
run --rm --isolation nosuch machine true
run --nosuch machine
run
wait nosuch
"""

GROUPS["life"] = """
create --name one --stop-timeout 1 machine sh -c 'trap "exit 3" TERM; echo begun; while :; do \
sleep 0.05; done'
create --name one machine true
ps
ps -a --format '{{.Names}} {{.Status}} {{.State}}'
start one
start one
logs --until 1s one
ps --format '{{.Names}} {{.State}} {{.Command}}'
rm one
stop one
inspect -f '{{.State.ExitCode}} {{.State.Status}} {{.State.Running}} {{.State.Pid}}' one
stop one
kill one
restart -t 0 one
pause one
pause one
exec one true
start one
ps --format '{{.Status}}'
unpause one
unpause one
kill -s 0 one
kill -s NOSUCH one
kill -s 99 one
kill -s SIGTERM one
wait one
stop -t 0 one nosuch
rename one two
rename nosuch three
create --name four machine true
rename two four
rename two two
rename two ' '
inspect -f '{{.Name}}' two
update --memory 64m --memory-swap 128m --cpus 0.5 --pids-limit 50 --restart on-failure:3 two
inspect -f '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{json .HostConfig.RestartPolicy}}' two
update --memory 1k two
update --restart nosuch two
update nosuch
update two
restart nosuch
pause nosuch
unpause nosuch
pause two
start nosuch
start two nosuch
rm -f two nosuch
rm nosuch
rm -f nosuch
rm four
start -a nosuch
create --name five -i machine sh -c 'cat; exit 4'
start -a -i five < plain
logs five
start -a -i five five
rm five
create --name six machine nosuch
start six
inspect -f '{{.State.ExitCode}} {{.State.Status}}' six
rm six
create nosuch
run -d --name always --restart always machine sh -c 'sleep 1000'
kill always
inspect -f '{{.State.Status}} {{.RestartCount}}' always
run -d --name killed machine sleep 1000
stop -t 0 killed
wait killed always
rm -v killed always
container prune -f
"""

GROUPS["exec"] = """
run -d --name host -e A=1 -w /tmp machine sleep 1000
exec host true
exec host false
exec host sh -c 'echo $A; pwd; exit 9'
exec -e B=2 -e A=3 -w /etc -u app host sh -c 'echo $A$B; pwd; id -un'
exec -i host cat < plain
exec -t host tail -c 1 /etc/passwd
exec -it host true < plain
exec -d host sh -c 'echo > /tmp/made'
exec host nosuch
exec host /nosuch/program
exec host /etc
exec -w /nosuch host true
exec -u nosuch host true
exec -d host nosuch
exec --privileged host true
exec --env-file words.env host sh -c 'echo $COLOUR'
exec nosuch true
exec host
exec --nosuch host true
top host
top host -o pid,args
top host -o nosuch
top nosuch
attach nosuch
stats --no-stream host
stats --no-stream nosuch
stats --no-stream -a --no-trunc --format '{{.Container}}|{{.CPUPerc}}|{{.MemUsage}}|{{.NetIO}}'
stop -t 0 host
exec host true
exec -d host true
top host
attach host
stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' host
rm host
"""

GROUPS["logs"] = """
run --name talks machine sh -c 'for i in 1 2 3 4; do echo line $i; sleep 0.05; done; echo wrong \
>&2; sleep 0.05; echo -n end'
logs talks
logs -f talks
logs --tail 2 talks
logs -n 0 talks
logs --tail all talks
logs --tail nosuch talks
logs --tail -1 talks
logs -t --tail 1 talks
logs --since 1h -n 1 talks
logs --since 2100-01-01 talks
logs --until 2001-01-01T00:00:00 talks
logs --since 2001-01-01 --until 2100-01-01 -n 1 talks
logs --since nosuch talks
logs --until nosuch talks
logs nosuch
logs
logs talks nosuch
run --name dumb --log-driver none machine sh -c 'echo unheard'
logs dumb
run --name short --log-opt max-size=1k --log-opt max-file=2 machine sh -c 'for i in 1 2 3; do \
echo $i; done'
logs short
run --name odd --log-opt nosuch=1 machine true
run -t --name typed machine sh -c 'echo a'
logs typed
rm talks dumb short typed
"""

GROUPS["files"] = """
run -d --name box machine sleep 1000
cp plain box:/tmp
cp plain box:/tmp/renamed
cp plain box:/nosuch/place
cp plain box:/etc/passwd/x
cp context box:/tmp
cp context/. box:/tmp/inner
cp nosuch box:/tmp
cp box:/tmp/plain back
cp box:/tmp/context back-folder
cp box:/nosuch .
cp box:/tmp/plain nosuch/place
cp nosuch:/x .
cp plain nosuch:/x
cp box:/tmp/a box:/tmp/b
cp plain other
cp box:/tmp/plain - > out.tar
cp - box:/home < out.tar
cp - box:/tmp/plain < out.tar
cp - box:/nosuch < out.tar
exec box cat /tmp/plain /tmp/renamed /home/plain
exec box ls /tmp /tmp/context /tmp/inner
exec box sh -c 'ln -s plain /tmp/link; rm /tmp/renamed; rm /bin/tail; echo x >> /etc/group'
cp box:/tmp/link link
cp -L box:/tmp/link followed
cp -a plain box:/tmp/archived
diff box
diff nosuch
stop -t 0 box
cp box:/tmp/plain of-a-stopped
cp plain box:/tmp/into-a-stopped
diff box
inspect -s -f '{{.SizeRw}} {{.SizeRootFs}}' box
rm box
"""

GROUPS["listing"] = """
run -d --name up -l tier=front -l of=a --expose 70 -v kept:/kept -p 127.0.0.1:8091:80 machine \
sleep 1000
run --name over --label-file labels machine sh -c 'exit 3'
create --name made -v /anonymous --health-cmd true machine true
ps
ps -a
ps -aq --no-trunc
ps -as
ps -n 2 --format '{{.Names}}'
ps -l --format '{{.Names}}'
ps -a --no-trunc --format '{{.Command}}'
ps -a --format 'table {{.Names}}\\t{{.Image}}\\t{{.State}}'
ps -a --format '{{.Names}}|{{.Mounts}}|{{.LocalVolumes}}|{{.Networks}}'
ps -a --format '{{.Names}} {{.Ports}}'
ps -a --format '{{json .Names}} {{.Label "tier"}} {{.RunningFor}} {{.Size}}'
ps --format '{{.Nosuch}}'
ps -af status=exited --format '{{.Names}}'
ps -af status=created --format '{{.Names}}'
ps -f status=nosuch
ps -af exited=3 --format '{{.Names}}'
ps -af exited=nosuch
ps -af label=tier --format '{{.Names}}'
ps -af label=tier=front --format '{{.Names}}'
ps -af name=e --format '{{.Names}}'
ps -af name=^up$ --format '{{.Names}}'
ps -af before=over --format '{{.Names}}'
ps -af since=up --format '{{.Names}}'
ps -af before=nosuch
ps -af ancestor=machine --format '{{.Names}}'
ps -af ancestor=nosuch
ps -af volume=kept --format '{{.Names}}'
ps -af network=bridge --format '{{.Names}}'
ps -af network=nosuch
ps -af publish=80 --format '{{.Names}}'
ps -af expose=70/tcp --format '{{.Names}}'
ps -af health=none --format '{{.Names}}'
ps -af health=nosuch
ps -af is-task=true
ps -af nosuch=1
ps -af nosuch
port up
port up 80
port up 80/udp
port up 81
port over
port nosuch
inspect -f '{{.State.Status}} {{.Config.Image}} {{.RestartCount}} {{.Path}} {{.Args}}' up over made
inspect -f '{{json .NetworkSettings.Ports}} {{json .HostConfig.PortBindings}}' up
inspect -f '{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}} {{.Driver}}{{end}}' up
inspect -f '{{json .Config.Healthcheck}} {{json .State.Health}}' made
inspect -f '{{.Nosuch}}' up
inspect -f '{{.Config.Labels}} {{.HostConfig.NetworkMode}}' up over
inspect nosuch up -f '{{.Name}}'
inspect
inspect --type network up
container inspect machine
container ls -aq
rm -f up
rm over made
"""

GROUPS["networks"] = """
network ls
network ls --format '{{.Name}} {{.Driver}} {{.Scope}} {{.Internal}} {{.IPv6}}'
network create --subnet 10.88.0.0/24 --gateway 10.88.0.254 --ip-range 10.88.0.128/25 --label a=b \
--attachable -o com.docker.network.bridge.name=br-cmp back
network create --internal --subnet 10.88.1.0/24 --aux-address one=10.88.1.2 shut
network create back
network create bridge
network create --subnet 10.88.0.0/16 over
network create --subnet nosuch bad
network create --subnet 10.88.2.0/24 --gateway 10.1.1.1 bad
network create --gateway 10.88.2.1 bad
network create -d host bad
network create -d null bad
network create
network inspect back
network inspect shut -f '{{.Internal}} {{json .IPAM.Config}} {{json .Options}} {{json .Containers}}'
network inspect back nosuch -f '{{.Name}}'
network inspect host none -f '{{.Name}} {{.Driver}} {{.Scope}} {{json .IPAM}}'
network ls -f driver=bridge --format '{{.Name}}'
network ls -f name=ac --format '{{.Name}}'
network ls -f label=a=b --format '{{.Name}} {{.Labels}}'
network ls -f type=custom --format '{{.Name}}'
network ls -f type=builtin --format '{{.Name}}'
network ls -f scope=swarm
network ls -f dangling=true --format '{{.Name}}'
network ls -f nosuch=1
network ls -f type=nosuch
run -d --name one --network back --network-alias db --ip 10.88.0.9 --mac-address \
02:42:0a:58:00:09 machine sleep 1000
run -d --name two --network back machine sleep 1000
run --rm --network back --ip 10.88.0.9 machine true
run --rm --network back --ip 10.99.0.9 machine true
run --rm --network back --link one:uno machine cat /etc/hosts
run --rm --network container:one machine ls /sys/class/net
run --rm --network container:nosuch machine true
run --rm --network container:one -p 80:80 machine true
run --rm --network container:one -h other machine true
run --rm --network host -p 80:80 machine true
run --rm --network none --ip 10.88.0.3 machine true
run --rm --network-alias x machine true
inspect -f '{{json .NetworkSettings.Networks.back.IPAMConfig}} \
{{.NetworkSettings.Networks.back.IPAddress}} {{.NetworkSettings.Networks.back.MacAddress}} \
{{.NetworkSettings.Networks.back.Gateway}} {{.NetworkSettings.Networks.back.IPPrefixLen}}' one
inspect -f '{{.NetworkSettings.Networks.back.IPAddress}} {{.HostConfig.NetworkMode}}' two
network inspect -f '{{len .Containers}}' back
network connect --alias tardy --ip 10.88.1.77 shut two
network connect shut two
network connect shut nosuch
network connect nosuch two
network connect host two
network connect none two
inspect -f '{{range $n, $e := .NetworkSettings.Networks}}{{$n}} {{$e.IPAddress}};{{end}}' two
network disconnect shut two
network disconnect shut two
network connect --ip 10.1.1.1 shut two
network disconnect nosuch two
network disconnect host two
network rm back
network rm bridge
network rm host nosuch
network rm nosuch
stop -t 0 one
network connect shut one
inspect -f '{{range $n, $e := .NetworkSettings.Networks}}{{$n}} {{end}}' one
network disconnect -f back one
start one
inspect -f '{{range $n, $e := .NetworkSettings.Networks}}{{$n}} {{end}}' one
network prune -f
rm -f one two
network prune -f --filter label=nosuch
network prune -f --filter nosuch=1
network rm shut
network prune -f
network ls
"""

GROUPS["volumes"] = """
volume ls
volume create one
volume create one
volume create --label tier=front --label a two
volume create -o type=tmpfs -o device=tmpfs -o o=size=1m,uid=1000 fast
volume create -o nosuch=1 bad
volume create -o type=tmpfs bad
volume create 'a b'
volume create ../bad
volume create a b
volume inspect one
volume inspect fast -f '{{json .Options}} {{.Driver}} {{.Scope}}'
volume inspect two -f '{{json .Labels}}'
volume inspect one nosuch -f '{{.Name}}'
volume ls
volume ls -q -f label=tier
volume ls -q -f name=o
volume ls -q -f driver=local
volume ls -q -f driver=nosuch
volume ls -f nosuch=1
volume ls -f dangling=nosuch
run --rm -v one:/data machine sh -c 'echo kept > /data/file'
run --rm -v one:/data:ro machine cat /data/file
run --rm -v one:/data:ro machine touch /data/x
run --rm -v one:/data:nosuch machine true
run --rm -v fast:/data machine perl -e 'open F, "/proc/mounts"; print grep m. /data ., <F>'
run --rm --mount source=one,target=/data,readonly machine ls /data
run --rm --mount source=one,target=data machine true
run --rm --mount type=volume,target=/data machine ls -d /data
run --rm --tmpfs relative machine true
create --name holds -v one:/data -v /anonymous machine true
create --name shares --volumes-from holds:ro machine true
create --volumes-from nosuch machine true
inspect -f '{{range .Mounts}}{{.Type}} {{.RW}} {{json .Mode}};{{end}}' shares
volume ls -q -f dangling=true
volume rm one
volume rm nosuch
volume rm -f nosuch
volume rm two nosuch
rm -v shares holds
volume ls -q
volume prune -f --filter label=nosuch
volume prune -f --filter nosuch=1
volume rm one fast
volume inspect nosuch
volume prune -f
"""

GROUPS["system"] = """
run -d --name up -l of=events machine sleep 1000
run --name over machine true
volume create empty
system df
system df --format '{{.Type}} {{.TotalCount}} {{.Active}}'
system df -v
version --format '{{.Server.Os}} {{.Server.Arch}} {{.Server.Experimental}}'
info --format '{{.Containers}} {{.ContainersRunning}} {{.ContainersPaused}} {{.ContainersStopped}}'
info --format '{{.OSType}} {{.Swarm.LocalNodeState}} {{.LoggingDriver}} {{.NCPU}} {{.Name}}'
info --format '{{.Nosuch}}'
system info --format '{{json .Swarm}}'
stop -t 0 up
run --rm machine sleep 1.1
events --since BEGUN --until 0s --filter container=up --filter type=container --format '{{.Type}} \
{{.Action}} {{.Actor.Attributes.name}}'
events --since BEGUN --until 0s --filter label=of=events --filter event=start
events --since BEGUN --until 0s --filter type=volume --format '{{.Action}} {{.Actor.ID}} \
{{.Actor.Attributes}}'
events --since BEGUN --until 0s --filter container=over --filter event=die --format '{{json \
.Actor.Attributes}}'
events --since BEGUN --until 0s --filter image=machine --filter event=create --format '{{.Status}}'
events --since nosuch
events --until 2001-01-01
events --since BEGUN --until 0s --filter container=up --filter type=network --format '{{.Action}} \
{{.Actor.Attributes.name}} {{.Actor.Attributes.type}}'
container prune -f --filter label=nosuch
container prune -f --filter until=nosuch
container prune -f --filter nosuch=1
system prune -f --filter label=nosuch
system prune -f
system prune -af --volumes
images -q
node ls
service ls
stack ls
swarm leave
secret ls
config ls
plugin ls
plugin inspect nosuch
checkpoint ls nosuch
login -u a -p b localhost:1
logout localhost:1
pull localhost:1/nosuch
pull UPPER
pull machine:a:b
push localhost:1/nosuch
nosuch
context ls --format '{{.Name}}'
"""
