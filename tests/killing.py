"""Work that is done in forks of one process, which has loaded everything: a fork is killed at a moment, or finds the disk full there.
Run as a script with a function's name and its arguments as JSON; prints what the function found, as JSON."""
import builtins, errno, hashlib, json, os, random, signal, sys, tempfile, time, traceback
from functools import partial
from pathlib import Path

def die(): os.kill(os.getpid(), signal.SIGKILL)
def full(): raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

class Disk:
    "Counts the touches of the disk, and strikes at one of them: in the middle of a write, before it is certain, before or after a file takes its name."
    def __init__(self, at=0, strike=die): self.at, self.strike, self.touches = at, strike, []
    def touch(self, what, before=lambda: None):
        self.touches.append(what)
        if len(self.touches) == self.at: before(); self.strike()
    def watch(self):
        "From now on, in this process."
        opened, fsync, replace = builtins.open, os.fsync, os.replace
        def watched_open(file, mode='r', *args, **kwargs):
            f = opened(file, mode, *args, **kwargs)
            return Watched(f, self) if set(mode) & set('wax') else f
        def watched_fsync(fd): self.touch('fsync'); fsync(fd)
        def watched_replace(a, b):
            self.touch('replace'); replace(a, b)
            if self.strike is die: self.touch('replaced')
        builtins.open, os.fsync, os.replace = watched_open, watched_fsync, watched_replace

class Watched:
    "A file that is being written."
    def __init__(self, f, disk): self.f, self.disk = f, disk
    def write(self, data):
        def half(): self.f.write(data[:len(data)//2]); self.f.flush()
        self.disk.touch('write', half)
        return self.f.write(data)
    def __enter__(self): self.f.__enter__(); return self
    def __exit__(self, *error): return self.f.__exit__(*error)
    def __getattr__(self, name): return getattr(self.f, name)

def _child(work, disk, said):
    "What a command would do: its exit code."
    os.dup2(said, 1); os.dup2(said, 2); sys.stdout, sys.stderr = os.fdopen(1, 'w'), os.fdopen(2, 'w')
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 0
    disk.watch()
    try: work()
    except SystemExit as e:
        code = e.code if isinstance(e.code, int) else 1
        if code == 1: print(e.code, file=sys.stderr)
    except BaseException: traceback.print_exc(); code = 70
    sys.stdout.flush(); sys.stderr.flush()
    return code

def fork(work, at=0, strike=die, after=None, sig=signal.SIGKILL):
    "Do `work` in a fork that is struck at its `at`-th touch of the disk, or gets a signal `after` seconds: its exit code (negative: the signal that ended it), what it said, its touches."
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as count:
        pid = os.fork()
        if not pid:
            disk, code = Disk(at, strike), 70
            try: code = _child(work, disk, said.fileno()); os.write(count.fileno(), json.dumps(disk.touches).encode())
            finally: os._exit(code)
        if after is not None: time.sleep(after); os.kill(pid, sig)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        said.seek(0); count.seek(0)
        return code, said.read().decode(), json.loads(count.read() or '[]')

# what is compared

CLOCKS = {'seconds', 'data_seconds', 'train_seconds', 'seconds_per_episode', 'date', 'updated', 'pid', 'born', 'run', 'folder'}

def timeless(x):
    "Without what no two runs share: times, processes, folders."
    if isinstance(x, dict): return {k: timeless(v) for k, v in x.items() if k not in CLOCKS}
    return [timeless(v) for v in x] if isinstance(x, list) else x

def _content(p: Path):
    import torch
    if p.suffix in ('.json', '.jsonl'): return [timeless(json.loads(l)) for l in ([p.read_text()] if p.suffix == '.json' else p.read_text().splitlines())]
    if p.suffix != '.pt': return hashlib.sha256(p.read_bytes()).hexdigest()
    values = {}
    def walk(name, v):
        if isinstance(v, dict): [walk(f'{name}.{k}', x) for k, x in v.items() if k not in CLOCKS]
        else: values[name] = hashlib.sha256(v.numpy().tobytes()).hexdigest() if isinstance(v, torch.Tensor) else str(v)
    walk('', torch.load(p, weights_only=True))
    return values

def contents(folder: Path) -> dict:
    "Every file below a folder, with its content; locks and the files of submitit only matter while it is used."
    files = [p for p in sorted(Path(folder).rglob('*')) if p.is_file() and p.name != '.lock' and p.suffix not in ('.lock', '.guard') and 'jobs' not in p.parts]
    return {str(p.relative_to(folder)): _content(p) for p in files}

def differences(a: dict, b: dict) -> list: return sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k))

# the works: each is a command, or several, that leave files in a folder

TINY = ['model.channels=[2,2,2]', 'model.dim=8', 'data.steps=20', 'data.clip=5', 'loss.rollout=3', 'loss.start=first',
        'optim.batch=4', 'optim.epoch_steps=8', 'optim.epochs=2', 'save_every=3', 'eval.unroll_every=8', 'eval.unroll_clips=2']

def train(folder: Path):
    from jepa_tutorial.cli import jepa_train
    jepa_train('quick', TINY, out=str(folder/'run'), device='cpu', json=True)

def reproduce(folder: Path):
    "Three rows: a run's last epoch, the one before, and the refined model."
    from jepa_tutorial import cli, reproduce as r
    from jepa_tutorial.refining import Dreams, refine
    from jepa_tutorial.planning.episodes import sample_tasks
    rows = [r.Row('laptop', 'fixed_wall', steps=3), r.Row('laptop', 'fixed_wall', back=1, steps=3), r.Row('laptop', 'fixed_wall', 'refined', steps=3)]
    r.queue, r.refine, r.sample_tasks = lambda budget: rows, partial(refine, dreams=Dreams(films=4, frames=5, steps=3, updates=3, batch=2)), lambda n, **k: sample_tasks(min(n, 50), **k)
    settings, planner = r.settings, ['plan_fast', 'num_samples=4', 'num_elites=2', 'horizon=3', 'iterations=1', 'first_iterations=1']
    r.settings = lambda row: r.load_config('quick', *TINY, f'name={row.run}')
    r.EPISODES, r.PLANNERS = dict(laptop=50), dict(fast=planner)
    cli.jepa_reproduce(out=str(folder/'results'), runs=str(folder/'runs'), device='cpu', json=True)

def sweep(folder: Path):
    "Two runs, one after the other, and the report on them."
    from jepa_tutorial import cli
    file = folder.parent/'two.yaml'
    if not file.exists(): file.write_text(json.dumps(dict(name='two', base='quick', overrides=TINY, grid={'loss.omega': [0, 1]})))
    for _ in range(2): cli.jepa_sweep(str(file), out=str(folder), single='next', device='cpu', json=True)
    cli.jepa_report(str(folder), last=1, json=True)

def plan(folder: Path):
    from jepa_tutorial.cli import jepa_plan
    file = folder.parent/'planner.yaml'
    if not file.exists(): file.write_text(json.dumps(dict(base='plan_fast', num_samples=8, num_elites=2, horizon=4, iterations=1, first_iterations=1)))
    jepa_plan('quick', planner=str(file), episodes=3, steps=12, gif=True, out=str(folder), json=True)

WORKS = dict(train=train, reproduce=reproduce, sweep=sweep, plan=plan)

def undisturbed(name, folder):
    "A work done once in peace: what it leaves, its touches of the disk, and its seconds."
    work, folder = WORKS[name], Path(folder)/'undisturbed'
    fork(partial(work, folder.with_name('warm')))              # fonts, caches, lazy imports
    began = time.perf_counter()
    code, said, touches = fork(partial(work, folder))
    assert code == 0, said
    return contents(folder), touches, time.perf_counter() - began

# what is done to them

def kills(name, folder, number, chain=5, seed=0):
    "Half of the kills at touches of the disk, spread over all of them, half at any time; a work is struck up to `chain` times in a row before it may end."
    chance, folder = random.Random(seed), Path(folder)
    expected, touches, seconds = undisturbed(name, folder)
    spots = [1 + i*len(touches)//-(-number//2) for i in range(-(-number//2))]
    done, at, wrong, trial = 0, [], [], 0
    while done < number:
        trial += 1; here = folder/f'{trial}'; work = partial(WORKS[name], here)
        for _ in range(chain):
            if done == number: break
            writing = len(spots) and done % 2 == 0
            code, said, _ = fork(work, at=spots[0]) if writing else fork(work, after=chance.uniform(0, seconds))
            if code == 0 and not writing: break                # it was faster than the blow
            if code == 0: code, said, _ = fork(partial(WORKS[name], folder/f'fresh{trial}'), at=spots[0]); here = folder/f'fresh{trial}'; work = partial(WORKS[name], here)
            if code != -signal.SIGKILL: wrong.append(f'trial {trial}: ended with {code}: {said[-500:]}'); break
            done += 1
            if writing: at.append(touches[spots.pop(0) - 1])
            if name == 'plan': wrong += [f'trial {trial}: {k} is half-written' for k, v in contents(here).items() if not k.endswith('.tmp') and v != expected[k]]
        code, said, _ = fork(work)
        if code: wrong.append(f'trial {trial}: did not go on: {said[-500:]}')
        wrong += [f'trial {trial}: {k}' for k in differences(expected, contents(here))]
        if wrong: break
    return dict(kills=done, writing=len(at), places=sorted(set(at)), wrong=wrong, files=len(expected), touches=len(touches), seconds=round(seconds, 2))

if __name__ == '__main__':
    import torch
    torch.set_num_threads(1)
    from jepa_tutorial import bench, cli, plotting, reproduce as _1, sweeps, tracking, unrolling   # once for all forks
    import matplotlib.figure
    print(json.dumps(globals()[sys.argv[1]](**json.loads(sys.argv[2]))))
