#!/usr/bin/env bash
# tests/slurm.sh COMMAND...: run a command beside a SLURM of one machine, this one, that nobody else can reach.
# Installs Debian's slurm-wlm if it is missing, so it needs root, on Debian or Ubuntu; best in a container.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo 'tests/slurm.sh installs and starts SLURM, which only root may; try it in a container' >&2; exit 1; }
if ! command -v slurmctld slurmd munged >/dev/null; then
  command -v apt-get >/dev/null || { echo 'tests/slurm.sh needs SLURM (slurmctld, slurmd, munged), and there is no apt-get to install it' >&2; exit 1; }
  apt-get update -qq
  # a policy of 101 keeps the packages from starting their daemons with settings that are not ours
  [ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; ours=1; }
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null
  [ -z "${ours:-}" ] || rm /usr/sbin/policy-rc.d
fi

d=$(mktemp -d -p /tmp)
chmod 755 "$d"; mkdir "$d/state" "$d/spool"
host=$(hostname -s)
cat >"$d/slurm.conf" <<C
ClusterName=here
SlurmctldHost=$host(127.0.0.1)
CommunicationParameters=NoInAddrAny
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$d/munge.socket,cred_expire=5
StateSaveLocation=$d/state
SlurmdSpoolDir=$d/spool
SlurmctldPidFile=$d/slurmctld.pid
SlurmdPidFile=$d/slurmd.pid
SlurmctldLogFile=$d/slurmctld.log
SlurmdLogFile=$d/slurmd.log
# a container has no control groups to give away
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
KillWait=2
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
C
export SLURM_CONF=$d/slurm.conf

dd if=/dev/urandom of="$d/munge.key" bs=1024 count=1 status=none
chmod 600 "$d/munge.key"
munged --force --socket="$d/munge.socket" --key-file="$d/munge.key" --pid-file="$d/munge.pid" --log-file="$d/munge.log" --seed-file="$d/munge.seed"
stop() {
  scancel --state=PENDING,RUNNING --user root 2>/dev/null || true
  for daemon in slurmd slurmctld munge; do [ ! -s "$d/$daemon.pid" ] || kill "$(cat "$d/$daemon.pid")" || true; done
  sleep 1; rm -rf "$d"
}
trap stop EXIT
slurmctld; slurmd
for _ in $(seq 60); do [ "$(sinfo -h -o %T 2>/dev/null)" = idle ] && break; sleep 1; done
[ "$(sinfo -h -o %T)" = idle ] || { echo 'SLURM did not come up:' >&2; tail -5 "$d"/*.log >&2; exit 1; }
"$@"
