"""Experiments with forks of one process that has loaded everything: a fork is killed at some moment, interrupted, or finds the disk full.
Run as a script, it reads a line for each experiment, its name and arguments as JSON, and answers with a line of what it found."""
import builtins, contextlib, errno, hashlib, importlib, io, json, os, random, shutil, signal, statistics, sys, tempfile, time, traceback
from functools import partial
from pathlib import Path

def die(): os.kill(os.getpid(), signal.SIGKILL)
def full(): raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

# what strikes

class Disk:
    "Counts the touches of the disk, and strikes at one of them: in the middle of a write, before it is certain, before or after a file takes its name."
    def __init__(self, at=0, strike=die): self.at, self.strike, self.touches = at, strike, []
    def touch(self, what, first=lambda: None):
        self.touches.append(what)
        if len(self.touches) == self.at: first(); self.strike()

    @contextlib.contextmanager
    def watched(self):
        before = opened, fsync, replace = builtins.open, os.fsync, os.replace
        def watched_open(file, mode='r', *args, **kwargs):
            f = opened(file, mode, *args, **kwargs)
            return Written(f, self) if set(mode) & set('wax') else f
        def watched_fsync(fd): self.touch('fsync'); fsync(fd)
        def watched_replace(a, b):
            self.touch('replace'); replace(a, b)
            if self.strike is die: self.touch('replaced')
        builtins.open, os.fsync, os.replace = watched_open, watched_fsync, watched_replace
        try: yield
        finally: builtins.open, os.fsync, os.replace = before

class Written:
    "A file that is being written."
    def __init__(self, f, disk): self.f, self.disk = f, disk
    def write(self, data):
        def half(): self.f.write(data[:len(data)//2]); self.f.flush()
        self.disk.touch('write', half)
        return self.f.write(data)
    def __enter__(self): self.f.__enter__(); return self
    def __exit__(self, *error): return self.f.__exit__(*error)
    def __getattr__(self, name): return getattr(self.f, name)

def _exit_code(work, disk, said):
    "Do `work` as a command would be done; says what it says into a file."
    os.dup2(said, 1); os.dup2(said, 2); sys.stdout, sys.stderr = os.fdopen(1, 'w'), os.fdopen(2, 'w')
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 0
    try:
        with disk.watched(): work()
    except SystemExit as e:
        code = e.code if isinstance(e.code, int) else 1
        if code != e.code: print(e.code, file=sys.stderr)
    except BaseException: traceback.print_exc(); code = 70
    signal.signal(signal.SIGINT, signal.SIG_IGN); sys.stdout.flush(); sys.stderr.flush()
    return code

def start(work, said, at=0, strike=die):
    "Begin `work` in a fork that is struck at its `at`-th touch of the disk."
    if pid := os.fork(): return pid
    code = 70
    try: code = _exit_code(work, Disk(at, strike), said.fileno())
    finally: os._exit(code)

def ended(pid): return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def fork(work, at=0, strike=die, after=None, sig=signal.SIGKILL):
    "Do `work` in a fork, which may get a signal `after` some seconds: its exit code (negative: the signal that ended it), and what it said."
    with tempfile.TemporaryFile() as said:
        pid = start(work, said, at, strike)
        if after is not None: time.sleep(after); os.kill(pid, sig)
        code = ended(pid); said.seek(0)
        return code, said.read().decode()

# what is compared

TIMES = {'seconds', 'data_seconds', 'train_seconds', 'seconds_per_episode', 'date', 'commit', 'fingerprint', 'updated', 'pid', 'born', 'run', 'folder'}

def timeless(x):
    "Without what no two runs share: times, processes, places."
    if isinstance(x, dict): return {k: timeless(v) for k, v in x.items() if k not in TIMES}
    return [timeless(v) for v in x] if isinstance(x, list) else x

def content(p: Path):
    "Of a file, as something to compare."
    import torch
    if p.suffix in ('.json', '.jsonl'): return [timeless(json.loads(l)) for l in ([p.read_text()] if p.suffix == '.json' else p.read_text().splitlines())]
    if p.suffix != '.pt': return hashlib.sha256(p.read_bytes()).hexdigest()
    plain = lambda v: hashlib.sha256(v.numpy().tobytes()).hexdigest() if isinstance(v, torch.Tensor) else {str(k): plain(x) for k, x in v.items() if k not in TIMES} if isinstance(v, dict) else str(v)
    return plain(torch.load(p, weights_only=True))

def contents(folder: Path) -> dict:
    """Every file below a folder with its content, but for locks, for what submitit keeps,
    and for what `jepa_reproduce` doesn't use: it doesn't go on with a run whose last epoch it has."""
    unused = lambda p: 'jobs' in p.parts or p.name == '.lock' or p.suffix in ('.lock', '.guard') or p.parts[-3] == 'runs' and 'refined' not in p.parts[-2] and p.name.lstrip('.').split('.')[0] in ('model', 'state')
    files = [p for p in sorted(Path(folder).rglob('*')) if p.is_file() and not unused(p)]
    return {str(p.relative_to(folder)): content(p) for p in files}

def differences(a: dict, b: dict) -> list: return sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k))

# works: each is a command, or several, that leave files in a folder

TINY = ['model.channels=[2,2,2]', 'model.dim=8', 'data.steps=20', 'data.clip=5', 'loss.rollout=3', 'loss.start=first',
        'optim.batch=4', 'optim.epoch_steps=8', 'optim.epochs=2', 'save_every=3', 'eval.unroll_every=8', 'eval.unroll_clips=2']

def train(folder: Path):
    from jepa_tutorial.tools import commands, pictures
    pictures.draw_training = lambda *_: None                # curves take longer than this training; the sweep's are drawn
    commands.jepa_train('quick', TINY, out=str(folder/'run'), device='cpu', json=True)

def reproduce(folder: Path):
    "Three rows: a run's last epoch, the one before, and the refined model."
    from jepa_tutorial.planning.episodes import sample_tasks
    from jepa_tutorial.tools import commands, fingerprints, reproduce, rows, tasks
    from jepa_tutorial.tools.config import load_config
    from jepa_tutorial.training.refining import RefineConfig, refine
    Row = rows.Row
    todo = [Row('dense', 'fixed_wall', steps=3), Row('dense', 'fixed_wall', epochs_back=1, steps=3), Row('dense', 'fixed_wall', 'refined', steps=3)]
    planner = ['plan_fast', 'num_samples=4', 'num_elites=2', 'horizon=3', 'execute_steps=1', 'iterations=1', 'first_iterations=1']
    small = dict(queue=lambda budget: todo, settings=lambda row: load_config('quick', *TINY, f'name={row.run}'),
                 refine=partial(refine, cfg=RefineConfig(clips=4, frames=5, steps=3, updates=3, batch=2)), sample_tasks=lambda n, **k: sample_tasks(min(n, 50), **k),
                 EPISODES=dict(dense=50), PLANNERS=dict(fast=planner))
    for name, value in small.items():
        for m in (fingerprints, reproduce, rows, tasks):
            if hasattr(m, name): setattr(m, name, value)
    commands.jepa_reproduce(out=str(folder/'results'), runs=str(folder/'runs'), device='cpu', json=True)

SPECS = Path(tempfile.gettempdir())/f'jepa-{os.getpid()}'
def spec(name, /, **settings) -> str:
    "A file of settings (JSON is YAML too)."
    SPECS.mkdir(exist_ok=True)
    if not (path := SPECS/f'{name}.yaml').exists(): path.write_text(json.dumps(settings))
    return str(path)

def sweep(folder: Path):
    "Two runs, one after the other, and the report on them."
    from jepa_tutorial.tools import commands
    two = spec('two', name='two', base='quick', overrides=TINY, grid={'loss.omega': [0, 1]})
    for _ in range(2): commands.jepa_sweep(two, out=str(folder), single='next', device='cpu', json=True)
    commands.jepa_report(str(folder), last=1, json=True)

def plan(folder: Path):
    from jepa_tutorial.tools.commands import jepa_plan
    small = spec('small', base='plan_fast', num_samples=8, num_elites=2, horizon=4, execute_steps=2, iterations=1, first_iterations=1)
    jepa_plan('quick', planner=small, episodes=3, steps=12, gif=True, out=str(folder), json=True)

WORKS = dict(train=train, reproduce=reproduce, sweep=sweep, plan=plan)

def undisturbed(work, folder: Path, strike=die):
    "What a work leaves when it is done in peace, its touches of the disk, its seconds."
    disk, began = Disk(strike=strike), time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), disk.watched(): work(folder)
    return contents(folder), disk.touches, time.perf_counter() - began

def spread(n, over): return [1 + i*over//n for i in range(n)]

# experiments

def kills(name, folder, kills, seed=0):
    "Each trial is killed at a touch of the disk, then at any time, and then may end."
    chance, folder, work = random.Random(seed), Path(folder), WORKS[name]
    expected, touches, seconds = undisturbed(work, folder/'undisturbed')
    done, writing, wrong = 0, [], []
    for trial, at in enumerate(spread(kills, len(touches))):
        here = folder/f'{trial}'; go = partial(work, here)
        code, said = fork(go, at=at)
        if code != -signal.SIGKILL: wrong.append(f'{touches[at - 1]} {at}: ended with {code}: {said}'); break
        done += 1; writing.append(touches[at - 1])
        if name == 'plan': wrong += [f'{k} is neither whole nor absent' for k, v in contents(here).items() if not k.endswith('.tmp') and v != expected[k]]
        if done < kills: done += fork(go, after=chance.uniform(0, .9*seconds))[0] == -signal.SIGKILL
        code, said = fork(go)
        if code: wrong.append(f'{touches[at - 1]} {at}: does not go on: {said}')
        wrong += [f'{touches[at - 1]} {at}: {k} differs' for k in differences(expected, contents(here))]
        if wrong or done >= kills: break
    return dict(kills=done, writing=writing, wrong=wrong, files=len(expected))

def full_disks(names, folder, full_disks):
    "The disk is full at some touch of it; then there is room again."
    found = dict(full_disks=0, wrong=[])
    for i, name in enumerate(names):
        if not (share := (full_disks + len(names) - 1 - i)//len(names)): break
        work, here = WORKS[name], Path(folder)/name
        here.mkdir(); expected, touches, _ = undisturbed(work, here/'undisturbed', full)
        for at in spread(share, len(touches)):
            go = partial(work, here/f'{at}')
            code, said = fork(go, at=at, strike=full)
            lines = [l for l in said.splitlines() if l and l[0] != '{']      # a result that could still be printed
            if code != 1 or len(lines) != 1 or 'No space left on device' not in said or 'make room and start again' not in said: found['wrong'].append(f'{name}, {touches[at - 1]} {at}: {code}, {said}')
            found['wrong'] += [f'{name}, {at}: {p} is left' for p in (here/f'{at}').rglob('*.tmp')]
            if fork(go)[0] or (odd := differences(expected, contents(here/f'{at}'))): found['wrong'].append(f'{name}, {at}: differs afterwards: {odd}')
            found['full_disks'] += 1
    return found

def refusals(folder):
    "Every command, with a folder that can't be made."
    return {name: fork(partial(work, Path(folder))) for name, work in WORKS.items()}

def paused(folder: Path):
    "A training that stops in the middle and does nothing."
    from jepa_tutorial.tools.config import load_config
    from jepa_tutorial.training.learner import train
    def wait(learner):
        if learner.step == 5: (folder/'there').write_text(''); signal.pause()
    train(load_config('quick', *TINY), folder/'run', [wait], device='cpu', progress=False)

def two_at_once(folder):
    "A second training where one is going on; a third where that one was killed."
    folder = Path(folder)
    expected, _, _ = undisturbed(train, folder/'undisturbed')
    with tempfile.TemporaryFile() as said:
        (folder/'busy').mkdir(); first = start(partial(paused, folder/'busy'), said)
        while not (folder/'busy'/'there').exists(): assert os.waitpid(first, os.WNOHANG) == (0, 0), 'it ended'; time.sleep(.02)
        before = contents(folder/'busy')
        second, mine = fork(partial(train, folder/'busy')), contents(folder/'busy') == before
        os.kill(first, signal.SIGKILL); ended(first); (folder/'busy'/'there').unlink()
    third = fork(partial(train, folder/'busy'))
    return dict(first=first, second=second, untouched=mine, third=third, wrong=differences(expected, contents(folder/'busy')))

def interrupted(names, folder, interrupts, seed=1):
    "Ctrl-C at any time."
    chance, found = random.Random(seed), dict(interrupts=0, wrong=[])
    for name in names:
        here = Path(folder)/name; here.mkdir(); work = partial(WORKS[name], here/'run')
        expected, _, seconds = undisturbed(WORKS[name], here/'undisturbed')
        for _ in range(interrupts):
            code, said = fork(work, after=chance.uniform(.1, .9)*seconds, sig=signal.SIGINT)
            if code not in (0, 130) or code and (f'jepa_{name}: interrupted' not in said or 'Traceback' in said): found['wrong'].append(f'{name}: {code}, {said}')
            found['interrupts'] += code == 130
            if code == 0: break
        if fork(work)[0] or (odd := differences(expected, contents(here/'run'))): found['wrong'].append(f'{name} differs afterwards: {odd}')
    return found

@contextlib.contextmanager
def alarm(seconds):
    "Interrupt this process as a notebook does, after some seconds; tells whether it came."
    came = []
    def ring(*_): came.append(True); raise KeyboardInterrupt
    before = signal.signal(signal.SIGALRM, ring)
    try:
        try: signal.setitimer(signal.ITIMER_REAL, seconds); yield came
        finally: signal.setitimer(signal.ITIMER_REAL, 0); signal.signal(signal.SIGALRM, before)
    except KeyboardInterrupt: pass

def cells(folder, interrupts, seed=2):
    "Notebook cells that train, act and refine, interrupted at any time; what is at hand afterwards, and what the cell does when it is run again."
    import copy, torch
    from jepa_tutorial.training.checkpoints import load_pretrained
    from jepa_tutorial.tools.config import load_config
    from jepa_tutorial.planning.episodes import run_episodes, sample_tasks
    from jepa_tutorial.planning.agent import load_planner
    from jepa_tutorial.training.refining import RefineConfig, refine
    from jepa_tutorial.training.learner import train
    chance, folder, found = random.Random(seed), Path(folder), dict(interrupts=0, wrong=[])
    trained, tasks, planner = load_pretrained('quick', 'cpu'), sample_tasks(3), load_planner('plan_fast', 'num_samples=20', 'num_elites=5')
    frame, whole = torch.zeros(1, 1, 2, 65, 65, dtype=torch.uint8), copy.deepcopy(trained.jepa.state_dict())
    made, cfg, held = [], load_config('quick', *TINY), []
    def training(): return train(cfg, folder/f'{len(made)}', [lambda l: held.__setitem__(slice(None), [l])], 'cpu', False).trained.jepa.state_dict()
    def acting(): return dict(position=run_episodes(trained.jepa, tasks, planner, 6).position)
    def refining(): return refine(trained, RefineConfig(clips=4, frames=5, steps=3, updates=4, batch=2)).jepa.state_dict()
    def same(a, b): return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
    def usable(jepa): return bool(jepa.encode(frame).isfinite().all()) and all(p.requires_grad for p in jepa.parameters())
    for cell in (training, acting, refining):
        began = time.perf_counter(); expected = cell(); seconds = time.perf_counter() - began
        for _ in range(interrupts):
            made.append(cell)
            with alarm(chance.uniform(0, seconds)) as came: cell()
            found['interrupts'] += len(came)
            if trained.jepa.training or not same(trained.jepa.state_dict(), whole) or not usable(trained.jepa): found['wrong'].append(f'{cell.__name__} harmed the model')
            if cell is training and held and not usable(held[0].jepa): found['wrong'].append('the model in training is of no use')
            if not same(cell(), expected): found['wrong'].append(f'{cell.__name__}, run again, ends differently')
    found['wrong'] += [f'{p} is left' for p in folder.rglob('*.tmp')]
    return found

def growth(samples) -> dict:
    "From the second to the last quarter: memory, as a share, and open files."
    n = len(samples)//4
    early, late = samples[n:2*n], samples[-n:]
    median = lambda part, i: statistics.median(s[i] for s in part)
    return dict(memory=median(late, 0)/median(early, 0) - 1, files=median(late, 1) - median(early, 1), megabytes=round(median(late, 0)/1e6))

def memory(folder, steps, episodes):
    "Memory and open files of this process after each step of a training, and after each episode."
    import psutil
    from jepa_tutorial.training.checkpoints import load_pretrained
    from jepa_tutorial.tools.evaluation import evaluations
    from jepa_tutorial.tools.config import load_config
    from jepa_tutorial.planning.episodes import run_episodes, sample_tasks
    from jepa_tutorial.planning.agent import load_planner
    from jepa_tutorial.training.learner import train
    me, found = psutil.Process(), []
    def look(*_): found.append((me.memory_info().rss, me.num_fds()))
    cfg = load_config('quick', *TINY, f'optim.epoch_steps={steps//20}', 'optim.epochs=20', 'save_every=25')
    train(cfg, Path(folder)/'run', [look, *evaluations(cfg)], 'cpu', False)
    training, found = growth(found), []
    quick, planner = load_pretrained('quick', 'cpu'), load_planner('plan_fast')
    for i in range(episodes): run_episodes(quick.jepa, sample_tasks(1, seed=i), planner, 10); look()
    return dict(training=training, planning=growth(found))

if __name__ == '__main__':
    import torch
    torch.set_num_threads(1)
    for m in ('tools.commands', 'tools.plotting', 'tools.reproduce', 'tools.sweeps', 'training.unrolling'): importlib.import_module(f'jepa_tutorial.{m}')
    importlib.import_module('matplotlib.figure')
    with tempfile.TemporaryDirectory() as d: undisturbed(train, Path(d))       # all that is imported late
    for line in sys.stdin:
        name, args = json.loads(line)
        if not (pid := os.fork()):
            try: print(json.dumps(globals()[name](**args)), flush=True)
            except BaseException: print(json.dumps(dict(error=traceback.format_exc())), flush=True)
            finally: os._exit(0)
        ended(pid)
    shutil.rmtree(SPECS, ignore_errors=True)
