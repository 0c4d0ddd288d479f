"Where a command runs every day: in a log, a pipe, an old terminal, another system, with a service that refuses."
import io, json, math, os, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
import pytest
from jepa_tutorial.tools.config import load_config

root = Path(__file__).resolve().parent.parent
TINY = ['model.channels=[4,4]', 'model.dim=16', 'data.steps=20', 'data.clip=5', 'loss.rollout=4', 'loss.start=first',
        'optim.batch=8', 'optim.epoch_steps=10', 'optim.epochs=2', 'eval.unroll_every=0', 'eval.inspect_every=0']
REFINE = ['refine.clips=8', 'refine.frames=20', 'refine.steps=4', 'refine.batch=4', 'refine.updates=12']

def environment(**env):
    quiet = {k: v for k, v in os.environ.items() if not k.startswith('WANDB_') and k not in ('CI', 'SLURM_JOB_ID', 'TERM', 'COLUMNS')}
    return {**quiet, 'OMP_NUM_THREADS': '1', 'JEPA_DEVICE': 'cpu', 'NETRC': '/nowhere', 'TERM': 'xterm', **env}

def command(name, *args, cwd=None, **env):
    "A command as a shell would run it; its output as bytes."
    script = Path(sys.executable).parent/name
    return subprocess.run([str(a) for a in (script, *args)], capture_output=True, cwd=cwd, env=environment(**env))

def on_a_terminal(name, *args, columns=80, cwd=None, **env):
    "What a terminal of so many columns is sent."
    pty = pytest.importorskip('pty'); import fcntl, struct, termios
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
    with subprocess.Popen([str(a) for a in (Path(sys.executable).parent/name, *args)], stdout=theirs, stderr=theirs, stdin=theirs, cwd=cwd, env=environment(**env)) as p:
        os.close(theirs); said = b''
        while True:
            try: said += (more := os.read(ours, 4096))
            except OSError: break
            if not more: break
    os.close(ours)
    return p.returncode, said.decode()

@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    "A tiny run with a refining stage, whose output went to a file."
    out = tmp_path_factory.mktemp('run')/'run'
    return out, command('jepa_train', '--out', out, 'quick', *TINY, '--device=cpu', *REFINE)

# options and overrides in any order

@pytest.mark.parametrize('args', ['NAME optim.lr=3e-4 --out=OUT seed=5', '--out OUT NAME optim.lr=3e-4 --json seed=5', '--json NAME --out OUT optim.lr=3e-4 seed=5', 'NAME --out OUT optim.lr=3e-4 --device cpu seed=5', 'optim.lr=3e-4 NAME --out OUT'])
def test_options_and_overrides_stand_in_any_order(args, monkeypatch):
    from jepa_tutorial.tools import commands
    monkeypatch.setattr(sys, 'argv', ['jepa_train', *args.replace('NAME', 'quick').replace('OUT', 'runs/mine').split()])
    if args.startswith('optim'):
        given = commands._from_terminal(commands.jepa_train.__wrapped__)
        assert given['preset'] == 'quick' and [*given['overrides']] == ['optim.lr=3e-4']; return
    given = commands._from_terminal(commands.jepa_train.__wrapped__)
    assert (given['preset'], [*given['overrides']], given['out']) == ('quick', ['optim.lr=3e-4', 'seed=5'], 'runs/mine') and given['json'] == ('--json' in args)

def test_a_run_with_mixed_arguments(trained):
    out, done = trained
    assert done.returncode == 0, done.stderr.decode()
    assert (out/'model.safetensors').is_file()

# a log isn't a terminal

def test_a_log_has_a_line_for_each_epoch(trained):
    _, done = trained
    lines = done.stdout.decode().splitlines()
    assert not {'\r', '\x1b', '█', '\b'} & {*done.stdout.decode()} and not done.stderr
    assert [l.split(':')[0] for l in lines[:3]] == ['epoch 1 of 2', 'epoch 2 of 2', 'refining'] and len(lines) == 4, lines

@pytest.mark.parametrize('env', [dict(CI='true'), dict(TERM='dumb'), dict(SLURM_JOB_ID='7')])
def test_no_bar_where_nobody_looks(env, monkeypatch):
    from jepa_tutorial.tools import progress
    screen = io.StringIO(); screen.isatty = lambda: True
    for k in ('CI', 'SLURM_JOB_ID'): monkeypatch.delenv(k, raising=False)
    monkeypatch.setenv('TERM', 'xterm'); monkeypatch.setattr(sys, 'stdout', screen)
    assert progress.live()
    for k, v in env.items(): monkeypatch.setenv(k, v)
    assert not progress.live()

def test_planning_into_a_log(trained, tmp_path):
    done = command('jepa_plan', trained[0], '--episodes', '2', '--steps', '10', '--out', tmp_path, '--planner', 'fast')
    assert done.returncode == 0, done.stderr.decode()
    lines = done.stdout.decode().splitlines()
    assert '\r' not in done.stdout.decode() and all(lines) and len(lines) <= 6, lines

def test_a_bar_fits_a_narrow_terminal(tmp_path):
    code, said = on_a_terminal('jepa_train', 'quick', *TINY, *REFINE, '--out', tmp_path/'r', columns=40)
    assert code == 0, said
    drawn = [part for l in said.split('\r\n') for part in l.split('\r')]
    redrawn = [p for l in said.split('\r\n') for p in l.split('\r')[1:-1]]
    assert redrawn and max(map(len, redrawn)) < 40, (max(map(len, drawn)), drawn[:4])
    assert sum('epoch' in l for l in said.split('\r\n')) == 2

# what the output can't show

@pytest.mark.parametrize('encoding', ['cp1252', 'ascii', 'cp437'])
def test_any_encoding_will_do(encoding, tmp_path):
    done = command('jepa_reproduce', '--list', '--budget', 'dense', '--out', tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 0 and b'| dense | ' in done.stdout, done.stderr.decode()[-500:]

@pytest.mark.parametrize('name', ['jepa_plan', 'jepa_train'])
def test_help_in_ascii(name):
    done = command(name, '--help', PYTHONIOENCODING='ascii')
    assert done.returncode == 0 and b'usage' in done.stdout, done.stderr.decode()[-300:]

def piped(name, *args, **env):
    "A command whose reader goes away before anything is said."
    read, write = os.pipe(); os.close(read)
    try: return subprocess.run([str(a) for a in (Path(sys.executable).parent/name, *args)], stdout=write, stderr=subprocess.PIPE, env=environment(**env))
    finally: os.close(write)

def test_a_closed_pipe_loses_nothing(trained, tmp_path):
    done = piped('jepa_plan', trained[0], '--episodes', '2', '--steps', '10', '--out', tmp_path, '--planner', 'fast')
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()
    assert json.loads((tmp_path/'plan.json').read_text())['episodes'] == 2

def test_training_outlives_its_pipe(tmp_path):
    done = piped('jepa_train', 'quick', *TINY, '--out', tmp_path/'run')
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()
    assert (tmp_path/'run'/'epoch_002.safetensors').is_file()

def test_what_was_measured_is_written_before_it_is_printed(trained, tmp_path, monkeypatch):
    from jepa_tutorial.tools import commands
    def fail(*_): raise RuntimeError('no printing today')
    monkeypatch.setattr(commands, '_show', fail)
    run = str(trained[0])
    for f, file in ((lambda: commands.jepa_plan(run, planner='fast', episodes=1, steps=3, out=str(tmp_path)), 'plan.json'), (lambda: commands.jepa_unroll(run, clips=2, out=str(tmp_path)), 'unroll.json')):
        with pytest.raises(RuntimeError): f()
        assert json.loads((tmp_path/file).read_text())
    monkeypatch.setattr(commands, '_bench', lambda *_: (dict(cases=[], ok=1), tmp_path/'bench.json'))
    monkeypatch.setattr('jepa_tutorial.tools.bench.report_table', lambda *_: '')
    with pytest.raises(RuntimeError): commands.jepa_bench(only='plan')
    assert (tmp_path/'bench.json').is_file()

# pictures are an extra

@pytest.mark.parametrize('backend', ['qtagg', 'nonsense'])
def test_a_backend_that_is_missing_ends_nothing(backend, trained, tmp_path):
    done = command('jepa_unroll', trained[0], '--clips', '2', '--out', tmp_path, MPLBACKEND=backend)
    assert done.returncode == 0 and b'predicted steps' in done.stdout and (tmp_path/'unroll.json').is_file(), done.stderr.decode()[-400:]
    assert len(done.stderr.splitlines()) <= 1, done.stderr.decode()

def test_a_missing_matplotlib_is_one_line(trained, tmp_path, monkeypatch, capsys):
    from jepa_tutorial.tools import commands
    for m in [m for m in sys.modules if m.split('.')[0] == 'matplotlib' or m.startswith('jepa_tutorial.tools.plotting')]: monkeypatch.delitem(sys.modules, m)
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    commands.jepa_plan(str(trained[0]), planner='fast', episodes=1, steps=3, gif=True, out=str(tmp_path), json=True)
    said = capsys.readouterr()
    assert json.loads(said.out) and "pip install matplotlib" in said.err and len(said.err.splitlines()) == 1

@pytest.mark.parametrize('use', ['interact', 'keys', 'player', 'bar'])
def test_controls_without_ipywidgets_are_one_line(use, monkeypatch):
    from jepa_tutorial.tools import widgets
    monkeypatch.setitem(sys.modules, 'ipywidgets', None)
    f = dict(interact=lambda: widgets.interact(lambda: None), keys=widgets.keys, player=lambda: widgets.player(0, 3), bar=lambda: [*widgets.bar(range(2))])[use]
    with pytest.raises(ImportError, match=r"pip install 'jepa_tutorial\[lab\]'"): f()

# services

@pytest.fixture
def refusing():
    "A server that takes no key."
    class Refuse(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(dict(errors=[dict(message='user is not logged in')])).encode()
            self.send_response(401); self.send_header('Content-Type', 'application/json'); self.send_header('Content-Length', str(len(body))); self.end_headers(); self.wfile.write(body)
        def do_POST(self):
            self.rfile.read(int(self.headers.get('Content-Length') or 0)); self.do_GET()
        def log_message(self, *_): pass
    server = HTTPServer(('127.0.0.1', 0), Refuse)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()

def one_line(done, *words):
    lines = done.stderr.decode().strip().splitlines()
    assert done.returncode == 1 and len(lines) == 1, done.stderr.decode()[-1500:]
    for w in words: assert w in lines[0], lines

def test_wandb_without_a_key(tmp_path):
    pytest.importorskip('wandb')
    one_line(command('jepa_train', 'quick', *TINY, '--out', tmp_path/'r', '--track', 'wandb', WANDB_MODE='online'), 'jepa_train: ', 'wandb', 'WANDB_MODE=offline')

def test_wandb_with_a_refused_key(tmp_path, refusing):
    pytest.importorskip('wandb')
    env = dict(WANDB_BASE_URL=refusing, WANDB_API_KEY='k'*40, no_proxy='127.0.0.1')
    one_line(command('jepa_train', 'quick', *TINY, '--out', tmp_path/'r', '--track', 'wandb', **env), 'jepa_train: ', 'wandb', 'WANDB_MODE=offline')

def test_a_sweep_with_a_refused_key(tmp_path, refusing):
    pytest.importorskip('wandb')
    env = dict(WANDB_BASE_URL=refusing, WANDB_API_KEY='k'*40, no_proxy='127.0.0.1')
    one_line(command('jepa_sweep', 'example', '--out', tmp_path/'out', '--wandb-sweep', **env), 'jepa_sweep: ', 'wandb', 'leave --wandb-sweep out')

def test_a_sweep_without_a_key(tmp_path):
    pytest.importorskip('wandb')
    one_line(command('jepa_sweep', 'example', '--out', tmp_path/'out', '--wandb-sweep', WANDB_MODE='online'), 'jepa_sweep: ', 'wandb', 'leave --wandb-sweep out')

def test_a_tracker_that_fails_later_ends_nothing(tmp_path, monkeypatch, capsys):
    from jepa_tutorial.tools import tracking
    class Broken:
        def __init__(self, *_): pass
        def __call__(self, row): raise ConnectionError('the line is dead')
    monkeypatch.setitem(tracking.TRACKERS, 'wandb', Broken)
    run = tracking.train_tracked(load_config('quick', *TINY), tmp_path, (), tracking.Track(('wandb',)), device='cpu', progress=False)
    assert run.metrics[-1]['step'] == 20 and capsys.readouterr().err.splitlines() == ['wandb: ConnectionError: the line is dead; the run goes on without it']

# what is saved can be loaded, and JSON is JSON

def test_a_long_card_can_be_loaded(trained, tmp_path):
    from jepa_tutorial.training.checkpoints import load_trained, save_trained
    model = load_trained(trained[0], 'cpu')
    card = model.card | dict(history=[dict(step=i, **{f'metric_{k}': i/7 + k for k in range(10)}) for i in range(40_000)])
    save_trained(tmp_path/'long', model._replace(card=card))
    assert (tmp_path/'long.json').stat().st_size > 2**23 and len(load_trained(tmp_path/'long', 'cpu').card['history']) == 40_000

def test_a_card_that_could_not_be_read_is_not_saved(trained, tmp_path):
    from jepa_tutorial.training.checkpoints import load_trained, save_trained
    model = load_trained(trained[0], 'cpu')
    with pytest.raises(ValueError, match='the card to save'): save_trained(tmp_path/'big', model._replace(card=model.card | dict(mine=2**70)))
    assert not [*tmp_path.glob('*')]

def test_metrics_are_json_and_can_be_read_again(tmp_path):
    from jepa_tutorial.training.resuming import log_row, read_metrics
    log_row(rows := [], tmp_path, dict(step=1, total=1., unroll=math.nan, far=math.inf, flag=True))
    assert 'NaN' not in (text := (tmp_path/'metrics.jsonl').read_text()) and 'Infinity' not in text
    row, = read_metrics(tmp_path)
    assert math.isnan(row['unroll']) and row['flag'] == 1
    with pytest.raises(ValueError, match='a callback measured words'): log_row(rows, tmp_path, dict(step=2, total=1., words='many'))
    assert len(read_metrics(tmp_path)) == 1

def test_long_metrics_and_sweeps_can_be_read(tmp_path):
    from jepa_tutorial.tools.config import read_yaml
    from jepa_tutorial.training.resuming import read_metrics
    line = json.dumps(dict(step=1, **{f'metric_{i}': .5 for i in range(5000)}))
    (tmp_path/'metrics.jsonl').write_text(line + '\n')
    assert len(read_metrics(tmp_path)[0]) == 5001
    (tmp_path/'sweep.yaml').write_text('runs:\n' + '- [seed=1, loss.alpha=16, loss.beta=8]\n'*7000)
    assert len(read_yaml(tmp_path/'sweep.yaml', large=True).runs) == 7000

def test_no_nan_in_json_or_tables(tmp_path):
    import numpy as np, torch
    from jepa_tutorial.tools.files import json_text
    from jepa_tutorial.tools.report import read_csv, write_csv
    assert json_text([np.float32('nan'), torch.tensor([1., math.inf]), math.nan]) == '[null, [1.0, null], null]'
    write_csv(tmp_path/'t.csv', [dict(epoch=1, step=2, value=math.nan)])
    assert 'nan' not in (tmp_path/'t.csv').read_text() and math.isnan(read_csv(tmp_path/'t.csv')[0]['value'])

# small ones

@pytest.mark.parametrize('text', ['optim.batch=010', 'optim.batch=-010', 'optim.batch=1:30', 'data.frames=[0,010]'])
def test_numbers_with_two_readings_are_refused(text, tmp_path):
    with pytest.raises(ValueError, match='another number in YAML than it looks'): load_config('quick', text)
    (tmp_path/'mine.yaml').write_text('base: quick\nseed: 010\n')
    with pytest.raises(ValueError, match='write 10'): load_config(tmp_path/'mine.yaml')

def test_blanks_around_an_override():
    from jepa_tutorial.tools.sweeps import make_trial
    assert load_config('quick', ' optim.lr = 1e-3 ').optim.lr == 1e-3
    assert make_trial(['loss.alpha = 4', 'seed = 1']) == make_trial(['loss.alpha=4', 'seed=1'])

def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    from jepa_tutorial.tools import commands
    from jepa_tutorial.training.learner import train
    monkeypatch.setenv('HOME', str(tmp_path)); monkeypatch.setenv('USERPROFILE', str(tmp_path)); (tmp_path/'cwd').mkdir(); monkeypatch.chdir(tmp_path/'cwd')
    seen = []
    def jepa_see(out): seen.append(out)
    commands.command(jepa_see)(out='~/x')
    assert Path(seen[0]) == tmp_path/'x'
    train(load_config('quick', *TINY, 'optim.epochs=1'), '~/run', device='cpu', progress=False)
    assert (tmp_path/'run'/'model.json').is_file() and not [*Path().iterdir()]
    with pytest.raises(SystemExit, match='no home folder for ~nobody_here'): commands.command(jepa_see)('~nobody_here/x')

def test_a_wrong_device_is_what_the_message_is_about(monkeypatch):
    from jepa_tutorial.tools import commands
    monkeypatch.setenv('JEPA_DEVICE', 'galaxy')
    with pytest.raises(ValueError, match='^JEPA_DEVICE: '): commands._load('quick')

# Windows and macOS

WITHOUT_UNIX = """
import os, signal, sys
for name in 'resource fcntl pwd grp termios tty pty syslog posix_ipc'.split(): sys.modules[name] = None
for name in 'kill fork forkpty getuid geteuid getgid getppid sched_getaffinity killpg setsid nice'.split():
    if hasattr(os, name): delattr(os, name)
for name in 'SIGKILL SIGUSR1 SIGUSR2 SIGHUP SIGALRM'.split():
    if hasattr(signal, name): delattr(signal, name)
import jepa_tutorial, importlib, pathlib
for f in sorted(pathlib.Path(jepa_tutorial.__file__).parent.rglob('*.py')):
    name = '.'.join(f.relative_to(pathlib.Path(jepa_tutorial.__file__).parent.parent).with_suffix('').parts)
    if not name.endswith('__init__'): importlib.import_module(name)
import torch
from jepa_tutorial.tools import load_config
from jepa_tutorial.tools.bench import peak_memory
from jepa_tutorial.tools.runner import read_status, slots, write_status
from jepa_tutorial.training import train
from jepa_tutorial.planning import fast_planner, run_episodes, sample_tasks
folder = pathlib.Path(sys.argv[1])
run = train(load_config('quick', *sys.argv[2:]), folder, device='cpu', progress=False)
run_episodes(run.trained.jepa, sample_tasks(1), fast_planner(), 3)
assert peak_memory(torch.device('cpu')) is None and slots(2, 'cpu')
write_status(folder, 'running')
assert read_status(folder)['state'] == 'running'
assert not [f for f in folder.rglob('*') if set(f.name) & set('<>:"|?*\\\\')]
print('done')
"""

def test_nothing_of_unix_is_needed(tmp_path):
    done = subprocess.run([sys.executable, '-c', WITHOUT_UNIX, str(tmp_path/'run'), *TINY], capture_output=True, text=True, env=environment())
    assert done.stdout.endswith('done\n'), done.stderr[-1500:]

def test_a_process_is_never_sent_a_signal_on_windows(monkeypatch):
    from jepa_tutorial.tools import runner
    monkeypatch.setattr(os, 'kill', lambda *_: pytest.fail('os.kill ends a process on Windows'))
    monkeypatch.setattr(runner, 'os', type('os', (), dict(name='nt', kill=os.kill)))
    assert runner._alive(dict(pid=os.getpid(), born=runner._born(os.getpid())))

def test_the_readme_needs_no_make():
    text = (root/'README.md').read_text(encoding='utf-8')
    assert 'python -m venv' in text and r'.venv\Scripts\activate' in text and 'pip install ".[lab]"' in text
