"Sweeps as their users meet them: from files, in processes, interrupted, and read again."
import json, os, signal, socket, subprocess, sys, time
from pathlib import Path
import numpy as np, pytest, torch, yaml
from jepa_tutorial.tools import report, runner, sweeps
from jepa_tutorial.tools.config import _names, CONFIGS, load_config
from jepa_tutorial.training.resuming import read_metrics

TINY = ['model.channels=[4,4]', 'model.dim=16', 'data.steps=20', 'data.clip=5', 'loss.rollout=4', 'loss.start=first',
        'optim.batch=8', 'optim.epoch_steps=10', 'optim.epochs=2', 'eval.unroll_every=10', 'eval.unroll_clips=4']

def spec(folder, **parts):
    "A sweep of tiny runs, as a file."
    path = Path(folder)/'tiny.yaml'
    path.write_text(yaml.safe_dump(dict(dict(name='tiny', base='quick', overrides=TINY), **parts)))
    return path

def command(name, *args, **env):
    "A command as a shell would run it, in an environment like ours."
    script = Path(sys.executable).parent/name
    return subprocess.run([str(a) for a in (script, *args)], capture_output=True, text=True, env={**os.environ, 'OMP_NUM_THREADS': '1', **env})

# the file

def test_the_published_grid():
    sweep = sweeps.load_sweep('published')
    assert len(sweep.trials) == 72 and len({t.name for t in sweep.trials}) == 72 and len({t.group for t in sweep.trials}) == 24
    seen = {(c.loss.beta, c.loss.alpha, c.loss.delta, c.loss.omega, c.seed) for c in map(sweep.config, sweep.trials)}
    assert seen == {(b, a, d, o, s) for b in (8, 12) for a in (8, 16) for d in (8, 12, 16) for o in (1, 2) for s in (1, 1000, 10000)}
    assert sweep.trials[0].name == 'beta8-alpha8-delta8-omega1-s1'

def test_names_are_the_same_every_time(tmp_path):
    a, b = (sweeps.load_sweep(spec(tmp_path, grid={'loss.alpha': [1, 2], 'model.channels': [[4, 4], [8, 4]], 'seed': [1]})) for _ in range(2))
    assert a == b and [t.name for t in a.trials][:2] == ['alpha1-channels4_4-s1', 'alpha1-channels8_4-s1']

def test_shipped_sweeps_are_no_presets():
    assert not {'published', 'example'} & set(_names())
    for f in (CONFIGS/'sweeps').glob('*.yaml'): sweeps.load_sweep(f.stem)

@pytest.mark.parametrize('parts, line', [
    (dict(grid={'loss.alfa': [1]}), "did you mean 'loss.alpha'"), (dict(grdi={}), "did you mean 'grid'"), (dict(grid={'loss.alpha': 3}), 'must be a list of values'),
    (dict(runs=[['seed=1'], ['loss.alpha']]), 'must look like key=value'), (dict(runs=[['seed=1'], ['seed=1']]), "called 's1'"), (dict(base='quik'), "did you mean 'quick'"),
    (dict(runs=[[], ['optim.epochs=0']]), 'optim.epochs is 0; give a whole number of at least 1'), (dict(grid={'seed': ['one']}), "'seed' in overrides must be a number"), (dict(runs=['seed=1']), 'a run in tiny.yaml must be a list')])
def test_nothing_starts_with_a_mistake(tmp_path, parts, line):
    with pytest.raises(ValueError, match=line): sweeps.load_sweep(spec(tmp_path, **parts))

def test_a_mistake_is_one_line(tmp_path):
    done = command('jepa_sweep', spec(tmp_path, runs=[['seed=1'], ['loss.alfa=1']]), '--out', tmp_path/'out')
    assert done.returncode == 1 and done.stderr.strip().splitlines() == ["jepa_sweep: tiny.yaml: unknown setting 'loss.alfa' in overrides; did you mean 'loss.alpha'?"]
    assert not (tmp_path/'out').exists()

def test_a_device_that_is_none_is_one_line(tmp_path):
    "Nothing is written first. What a cluster has, this machine needn't have."
    done = command('jepa_sweep', spec(tmp_path), '--out', tmp_path/'out', '--device', 'gpu')
    line, = done.stderr.strip().splitlines()
    assert done.returncode == 1 and line.startswith("jepa_sweep: device is 'gpu'") and not (tmp_path/'out').exists()

# processes

@pytest.fixture(scope='module')
def four(tmp_path_factory):
    "Four runs in processes, one of which can't succeed."
    pytest.importorskip('submitit')
    folder = tmp_path_factory.mktemp('four')
    file = spec(folder, runs=[['loss.alpha=4', 'seed=1'], ['loss.alpha=4', 'seed=2'], ['loss.alpha=16', 'seed=1'], ['optim.lr=1e30']])
    return file, folder/'out', command('jepa_sweep', file, '--out', folder/'out', '--parallel', '2', '--device', 'cpu')

def test_a_failing_run_does_not_stop_the_others(four):
    file, out, done = four
    assert done.returncode == 1, done.stderr
    assert '1 of 4 runs failed: lr1e30: ValueError: training diverged' in done.stderr.splitlines()[-1]
    assert '4 of 4 runs to do, 3,200 frames' in done.stderr
    states = {t.name: runner.read_status(out/t.name)['state'] for t in sweeps.load_sweep(file).trials}
    assert states == {'alpha4-s1': 'done', 'alpha4-s2': 'done', 'alpha16-s1': 'done', 'lr1e30': 'failed'}
    assert not list(out.glob('*/run.lock')) and not (out/'sweep.lock').exists()

def test_a_process_trains_what_this_one_would(four, tmp_path):
    sweep = sweeps.load_sweep(four[0])
    before = torch.get_num_threads(); torch.set_num_threads(runner.slots(2, 'cpu')[1])   # sums depend on the threads
    try: runner.run_trial(sweep.config(sweep.trials[0]), tmp_path/'run', 'cpu')
    finally: torch.set_num_threads(before)
    strip = lambda rows: [{k: v for k, v in r.items() if k != 'seconds'} for r in rows]
    assert strip(read_metrics(tmp_path/'run')) == strip(read_metrics(four[1]/'alpha4-s1'))

def test_started_again_it_runs_what_is_missing(four):
    file, out, _ = four
    before = {p: p.stat().st_mtime_ns for p in out.glob('alpha*/*')}
    (out/'alpha4-s2'/'status.json').unlink()
    done = command('jepa_sweep', out, '--parallel', '1', '--device', 'cpu', '--json')   # by the folder alone
    assert '2 of 4 runs to do, 800 frames' in done.stderr                               # the trained one has no step left
    assert [r['state'] for r in json.loads(done.stdout)['runs']] == ['done', 'done', 'done', 'failed']
    assert all(p.stat().st_mtime_ns == t for p, t in before.items() if p.parent.name != 'alpha4-s2')

def test_list_only_looks(four):
    done = command('jepa_sweep', '--list', four[1])
    assert done.returncode == 0 and '3 done, 1 failed of 4' in done.stdout and 'diverged' in done.stdout and '20 of 20' in done.stdout

def test_other_settings_need_another_folder(four, tmp_path):
    done = command('jepa_sweep', spec(tmp_path, overrides=[*TINY, 'model.dim=8'], runs=[['loss.alpha=4', 'seed=1']]), '--out', four[1])
    assert done.returncode == 1 and 'holds a run with model.dim=16, not 8' in done.stderr

def wait_for(condition, seconds=1800):        # waiting is right: another process is at work
    until = time.monotonic() + seconds
    while not condition(): assert time.monotonic() < until, 'it never came'; time.sleep(.05)

def test_an_interrupted_sweep_goes_on(tmp_path):
    pytest.importorskip('submitit')
    file, out = spec(tmp_path, runs=[['optim.epochs=30000']]), tmp_path/'out'
    code = f'from jepa_tutorial.tools.sweeps import *; from jepa_tutorial.tools.runner import *; run_sweep(load_sweep({str(file)!r}), {str(out)!r}, at_once=1, device="cpu")'
    going = subprocess.Popen([sys.executable, '-c', code], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    wait_for((out/'epochs30000'/'state.pt').exists)
    worker = runner.read_status(out/'epochs30000')
    done = command('jepa_sweep', out, '--device', 'cpu')
    assert done.returncode == 1 and f'in use by process {going.pid} on {socket.gethostname()}' in done.stderr   # two sweeps, one folder
    done = command('jepa_sweep', out, '--single', 'epochs30000', '--device', 'cpu')
    assert done.returncode == 0 and 'running' in done.stdout                                                    # it is in good hands
    going.send_signal(signal.SIGINT); going.wait()
    wait_for(lambda: not runner._alive(worker))
    assert runner.read_status(out/'epochs30000')['state'] == 'stopped' and not (out/'sweep.lock').exists()
    assert [t.name for t in runner.open_trials(sweeps.load_sweep(out), out)] == ['epochs30000']

def test_an_unwritable_folder_is_one_line(tmp_path):
    (tmp_path/'file').write_text('')
    done = command('jepa_sweep', spec(tmp_path), '--out', tmp_path/'file'/'out')
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1 and 'file' in done.stderr

@pytest.fixture
def disk(tmp_path, request):
    "A file system of its own, with these options."
    path = tmp_path/'disk'; path.mkdir()
    done = subprocess.run(['mount', '-t', 'tmpfs', '-o', request.param, 'tmpfs', str(path)], capture_output=True, text=True)
    if done.returncode: pytest.skip('mounting a small file system is not permitted here')
    yield path
    subprocess.run(['umount', str(path)], check=True)

@pytest.mark.parametrize('disk', ['size=48k'], indirect=True)
def test_a_full_disk_is_one_line(disk, tmp_path):
    pytest.importorskip('submitit')
    done = command('jepa_train', 'quick', *TINY, '--out', disk/'run', '--device', 'cpu', '--json')
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert 'jepa_train: [Errno 28] No space left on device' in done.stderr and str(disk/'run') in done.stderr and 'make room and start again' in done.stderr
    assert not list((disk/'run').glob('.*.tmp'))                                        # what could not be finished is not left behind
    done = command('jepa_sweep', spec(tmp_path), '--out', disk/'sweep', '--device', 'cpu')
    assert done.returncode == 1 and 'No space left on device' in done.stderr.strip().splitlines()[-1] and 'Traceback' not in done.stderr

@pytest.mark.parametrize('disk', ['ro'], indirect=True)
@pytest.mark.parametrize('name', ['jepa_train', 'jepa_sweep'])
def test_a_disk_without_write_access_is_one_line(disk, tmp_path, name):
    what = ['quick', *TINY] if name == 'jepa_train' else [spec(tmp_path)]
    done = command(name, *what, '--out', disk/'run')
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1 and 'Read-only file system' in done.stderr and 'choose another folder with --out' in done.stderr

# locks

def test_one_of_many_gets_a_stale_lock(tmp_path):
    "Four processes see the same dead holder at the same time; they take turns."
    dead = subprocess.Popen(['true']); dead.wait()
    lock = tmp_path/'sweep.lock'
    lock.write_text(f'{dead.pid}\n{socket.gethostname()}\n')
    code = f'''import pathlib, time
from jepa_tutorial.tools.runner import locked
while True:
    try:
        with locked(pathlib.Path({str(lock)!r})):
            f = open({str(tmp_path/"held")!r}, 'x'); time.sleep(.02); pathlib.Path(f.name).unlink(); print('mine'); break
    except ValueError: time.sleep(.01)'''
    procs = [subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    said = [p.communicate() for p in procs]
    assert not [e for _, e in said if e] and [o.strip() for o, _ in said] == ['mine']*4 and not lock.exists()

def test_a_lock_of_another_machine_is_respected(tmp_path):
    (tmp_path/'a.lock').write_text('1\nelsewhere\n')
    with pytest.raises(ValueError, match='process 1 on elsewhere'):
        with runner.locked(tmp_path/'a.lock'): pass

def test_a_requeued_job_takes_its_own_lock(tmp_path, monkeypatch):
    monkeypatch.setenv('SLURM_ARRAY_JOB_ID', '7'); monkeypatch.setenv('SLURM_ARRAY_TASK_ID', '3'); monkeypatch.setenv('SLURM_RESTART_COUNT', '1')
    for task, ok in (('3', True), ('2', False)):
        (tmp_path/'a.lock').write_text('1\nelsewhere\n'); (tmp_path/'a.job').write_text(f'7_{task}')
        try:
            with runner.locked(tmp_path/'a.lock'): assert ok
        except ValueError: assert not ok

# a cluster, played by three shell scripts

@pytest.fixture
def slurm(tmp_path, monkeypatch):
    "Commands that keep what they are given, and a queue that is a file."
    pytest.importorskip('submitit')
    bin = tmp_path/'bin'; bin.mkdir()
    for name, body in dict(srun='', sbatch=f'cp "$1" {tmp_path}/script; echo Submitted batch job 41', squeue=f'cat {tmp_path}/queue').items():
        (bin/name).write_text(f'#!/bin/sh\n{body}\n'); (bin/name).chmod(0o755)
    monkeypatch.setenv('PATH', f"{bin}:{os.environ['PATH']}")
    (tmp_path/'queue').write_text('41_0\n41_1\n')
    runner._queue.cache_clear()
    return tmp_path

def test_a_job_array(slurm):
    sweep, out = sweeps.load_sweep(spec(slurm, grid=dict(seed=[1, 2]))), slurm/'out'
    cluster = runner.Cluster('gpu', 'lab', gpus=1, cpus=3, minutes=90, memory='9GB', parallel=1)
    rows = runner.run_sweep(sweep, out, on='slurm', device='cuda', cluster=cluster, on_update=lambda text: None)
    script = (slurm/'script').read_text()
    for line in ('array=0-1%1', 'partition=gpu', 'account=lab', 'gpus-per-node=1', 'cpus-per-task=3', 'time=90', 'mem=9GB', 'requeue', 'signal=USR2@90'): assert f'#SBATCH --{line}\n' in script, (line, script)
    assert [r['state'] for r in rows] == ['queued', 'queued'] and (out/'s2'/'job').read_text() == '41_1'
    assert not runner.open_trials(sweep, out)                                        # nothing is handed in twice
    (slurm/'queue').write_text('41_1\n'); runner._queue.cache_clear()
    assert [t.name for t in runner.open_trials(sweep, out)] == ['s1']                # the queue has lost one

def test_a_preempted_job_is_the_same_job_again(slurm):
    sweep = sweeps.load_sweep(spec(slurm))
    work = runner.Work(sweep.config(sweep.trials[0]), slurm/'run', 'cpu')
    assert work.checkpoint().function is work
    work(); assert runner.read_status(slurm/'run')['state'] == 'done'

def test_no_cluster_is_one_line(tmp_path):
    pytest.importorskip('submitit')
    done = command('jepa_sweep', spec(tmp_path), '--out', tmp_path/'out', '--on', 'slurm', PATH='/nowhere')
    assert done.returncode == 1 and 'there is no SLURM here' in done.stderr.splitlines()[-1]

def test_without_submitit(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'submitit', None)
    with pytest.raises(ValueError, match=r"pip install 'jepa_tutorial\[cluster\]'"): runner._submitit()
    assert runner.run_single(sweeps.load_sweep(spec(tmp_path)), tmp_path/'out', device='cpu', progress=False) == 'base'

# options

@pytest.mark.parametrize('option', ['--average-over-seeds', '--average_over_seeds'])
def test_options_take_dashes_and_underscores(option, tmp_path):
    done = command('jepa_report', tmp_path, option)
    assert done.returncode == 1 and 'holds no finished run' in done.stderr
    done = command('jepa_report', tmp_path, option + '-')
    assert done.returncode == 2 and 'unrecognized arguments' in done.stderr

# the report

def test_the_report_says_what_numpy_says(four):
    _, out, _ = four
    done = command('jepa_report', out, '--average-over-seeds', '--json')
    assert done.returncode == 0, done.stderr
    raw = {n: [json.loads(l) for l in (out/n/'metrics.jsonl').read_text().splitlines()] for n in ('alpha4-s1', 'alpha4-s2', 'alpha16-s1')}
    lines = [l.split(',') for l in (out/'report'/'summary.csv').read_text().splitlines()]
    got = {(r['group'], r['metric']): r for r in (dict(zip(lines[0], l)) for l in lines[1:])}
    for group, names in dict(alpha4=['alpha4-s1', 'alpha4-s2'], alpha16=['alpha16-s1']).items():
        for metric in ('prediction', 'probe', 'unroll_0', 'unroll_8'):
            x = np.array([np.mean([r[metric] for r in raw[n] if e*10 < r['step'] <= e*10 + 10]) for n in names for e in (0, 1)])
            r = got[group, metric]
            assert r['loss.alpha'] == group.removeprefix('alpha') and int(r['n']) == len(x)
            assert np.isclose(float(r['mean']), x.mean(), rtol=1e-5) and np.isclose(float(r['std']), x.std(ddof=1), rtol=1e-3)
    said = json.loads(done.stdout)
    want = min(('alpha4', 'alpha16'), key=lambda g: float(got[g, 'unroll_8']['mean']))
    assert (said['metric'], said['best'], said['runs']) == ('unroll_8', want, 3)
    assert load_config(out/'report'/'best.yaml', 'seed=1', f'name={want}-s1') == load_config('quick', *TINY, f'loss.alpha={want[5:]}', f'name={want}-s1')
    assert (out/'report'/'curves.png').stat().st_size > 1000 and (out/'report'/'marginals.png').stat().st_size > 1000

def test_success_decides_where_it_was_measured():
    row = lambda group, metric, mean: dict(group=group, metric=metric, mean=mean)
    dreams = [row('a', 'unroll_8', 1.), row('b', 'unroll_8', 2.), row('a', 'unroll_30', 9.), row('b', 'unroll_30', 8.), row('a', 'probe', .1)]
    assert report.best(dreams)['group'] == 'b' and report.deciding(dreams) == 'unroll_30'
    solved = [*dreams, row('a', 'success', .9), row('b', 'success', .2)]
    assert report.best(solved)['group'] == 'a' and report.deciding(solved[:-1]) == 'unroll_30'   # one configuration without it

def test_the_committed_example_is_complete():
    rows = report.read_csv(Path(__file__).parent.parent/'jepa_tutorial/results/sweep-example.csv')
    sweep = sweeps.load_sweep('example')
    assert {r['run'] for r in rows} == {t.name for t in sweep.trials} and {r['epoch'] for r in rows} == set(range(1, 6))
    assert len(rows) == len({(r['run'], r['epoch'], r['metric']) for r in rows})
