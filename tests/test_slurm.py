"A sweep on a real SLURM, of one machine; run by make slurm."
import json, os, subprocess, sys, time
from pathlib import Path
import pytest, yaml
from jepa_tutorial.tools import runner, sweeps
from jepa_tutorial.training.resuming import read_metrics

pytestmark = pytest.mark.slurm
SMALL = ['model.channels=[4,4]', 'model.dim=16', 'data.steps=20', 'data.clip=5', 'loss.rollout=4', 'loss.start=first', 'save_every=5',
         'optim.batch=8', 'optim.epoch_steps=40', 'optim.epochs=3', 'eval.unroll_every=40', 'eval.unroll_clips=4']

def sh(*args, **env):
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, env={**os.environ, 'OMP_NUM_THREADS': '1', **env})
    assert done.returncode == 0, (args, done.stdout, done.stderr)
    return done.stdout

def jepa_sweep(*args): return sh(Path(sys.executable).parent/'jepa_sweep', *args)

def wait_for(condition, what, seconds=900):
    until = time.monotonic() + seconds
    while not (got := condition()): assert time.monotonic() < until, f'{what}: it never came'; time.sleep(.2)
    return got

def test_a_job_array_of_which_one_is_killed_and_requeued(tmp_path):
    "Four runs; one is killed in the middle, requeued by SLURM, and continues. All end, with the metrics of the same sweep on this machine."
    file, there, here = tmp_path/'four.yaml', tmp_path/'there', tmp_path/'here'
    file.write_text(yaml.safe_dump(dict(name='four', base='quick', overrides=SMALL, grid={'loss.alpha': [4, 16], 'seed': [1, 2]})))
    out = jepa_sweep(file, '--out', there, '--on', 'slurm', '--gpus', 0, '--cpus', 1, '--memory', '1GB', '--parallel', 2, '--device', 'cpu')
    assert '4 queued of 4' in out or 'running' in out
    jobs = {t.name: (there/t.name/'job').read_text() for t in sweeps.load_sweep(file).trials}
    array = {j.split('_')[0] for j in jobs.values()}
    assert len(array) == 1 and sorted(j.split('_')[1] for j in jobs.values()) == list('0123')

    victim = 'alpha4-s1'
    wait_for(lambda: 10 <= len(read_metrics(there/victim))*10 < 100 and (there/victim/'state.pt').exists(), 'a run in its middle')
    before = runner.read_status(there/victim)
    sh('scontrol', 'requeue', jobs[victim])
    again = wait_for(lambda: (s := runner.read_status(there/victim)) and s['state'] == 'running' and s['pid'] != before['pid'] and s, 'the requeued run')
    assert again['job'] == before['job'] == jobs[victim]
    assert 'Restarts=1' in sh('scontrol', 'show', 'job', jobs[victim])

    def states(): return [r['state'] for r in json.loads(jepa_sweep('--list', there, '--json'))['runs']]
    wait_for(lambda: not {'queued', 'running'} & set(states()), 'the end')
    assert states() == ['done']*4 and not list(there.glob('*/run.lock'))
    assert '0 of 4 runs to do' in subprocess.run([str(Path(sys.executable).parent/'jepa_sweep'), str(there), '--on', 'slurm'], capture_output=True, text=True).stderr

    jepa_sweep(file, '--out', here, '--on', 'local', '--device', 'cpu', '--parallel', 2)
    for name in jobs:
        a, b = ([{k: v for k, v in r.items() if k != 'seconds'} for r in read_metrics(f/name)] for f in (there, here))
        assert a == b and a[-1]['step'] == 120, name
