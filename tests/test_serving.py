"What runs as a server keeps its guards; what needs no network uses none."
import contextlib, os, re, socket, subprocess, sys, time, urllib.error, urllib.request
from pathlib import Path
import pytest

root = Path(__file__).resolve().parent.parent
recipe = re.search(r'^lab:.*\n\t\$\(BIN\)/jupyter lab (.*)$', (root/'Makefile').read_text(), re.M)[1].split()

def tracked():
    "The project's text files, without this one."
    shown = subprocess.run(['git', 'ls-files', '-z'], cwd=root, capture_output=True, text=True)
    files = [root/f for f in shown.stdout.split('\0') if f] if shown.returncode == 0 else [f for f in root.rglob('*') if not any(p[0] == '.' for p in f.relative_to(root).parts[:-1])]
    return [f for f in files if f.is_file() and f.suffix in ('', '.py', '.md', '.yaml', '.yml', '.toml', '.ini', '.sh', '.ipynb', '.cfg', '.json') and f != Path(__file__).resolve()]

guards = re.compile(r"""(token|password)\s*=\s*(''|""|\\'\\'|\s|$)|disable_check_xsrf|allow_origin|allow_remote_access|disable_check_host|ip\s*=\s*['"]?(0\.0\.0\.0|\*)""")
about = re.compile(r'jupyter|ServerApp|IdentityProvider|^\s*(c\.|--)', re.I)

def unguarded(line): return bool(about.search(line) and guards.search(line))

def test_no_guard_is_taken_down():
    for bad in ("jupyter lab --IdentityProvider.token=''", 'c.ServerApp.password = ""', 'jupyter lab --ip=0.0.0.0', '--ServerApp.token=', "c.ServerApp.allow_origin = '*'", 'c.ServerApp.disable_check_xsrf = True'):
        assert unguarded(bad), bad
    assert not unguarded('$(BIN)/jupyter lab --ServerApp.ip=127.0.0.1 nbs/index.ipynb')
    for f in tracked():
        for line in f.read_text(encoding='utf-8', errors='ignore').splitlines(): assert not unguarded(line), f'{f.relative_to(root)}: {line.strip()[:150]}'

def test_roots_server_is_only_the_browser_test():
    "Containers have no other user than root; Jupyter warns of it with good reason."
    assert [f.name for f in tracked() if '--allow-root' in f.read_text(encoding='utf-8', errors='ignore')] in (['test_browser.py'], [])
    browser = (root/'tests/test_browser.py').read_text()
    assert '--ip=127.0.0.1' in browser and re.search(r'IdentityProvider\.token=\{token\}', browser) and 'token = secrets.token_hex' in browser

def answer(url):
    try: return urllib.request.urlopen(url, timeout=120).status
    except urllib.error.HTTPError as e: return e.code

def listening(pid):
    "Addresses on which a process listens, as Linux writes them."
    sockets = {l.split('[')[1][:-1] for f in Path(f'/proc/{pid}/fd').iterdir() for l in [os.readlink(f)] if l.startswith('socket:')}
    rows = [l.split() for n in ('tcp', 'tcp6') for l in Path(f'/proc/{pid}/net/{n}').read_text().splitlines()[1:]]
    return {r[1].split(':')[0] for r in rows if r[3] == '0A' and r[9] in sockets}

@pytest.mark.promise('`make lab` serves the book on the loopback address alone, and refuses a request that lacks the token.')
def test_lab_wants_its_token(tmp_path):
    pytest.importorskip('jupyterlab')
    with socket.socket() as s: s.bind(('127.0.0.1', 0)); port = s.getsockname()[1]
    env = dict(os.environ, **{f'JUPYTER_{k}_DIR': str(tmp_path/k.lower()) for k in ('CONFIG', 'RUNTIME', 'DATA')}, HOME=str(tmp_path))
    root_too = ['--allow-root'] if hasattr(os, 'getuid') and os.getuid() == 0 else []
    args = [*(root/a if a == 'nbs/index.ipynb' else a for a in recipe), f'--port={port}', '--ServerApp.port_retries=50', '--no-browser', *root_too]
    log = tmp_path/'log'
    with open(log, 'w') as out: server = subprocess.Popen([sys.executable, '-m', 'jupyterlab', *map(str, args)], cwd=root, env=env, stdout=out, stderr=out)
    try:
        for _ in range(2400):
            assert server.poll() is None, log.read_text()[-2000:]
            if found := re.search(r'http://127\.0\.0\.1:(\d+)/\S*\?token=(\w+)', log.read_text()): break
            time.sleep(.25)
        assert found, f'no address with a token in ten minutes:\n{log.read_text()[-2000:]}'
        port, secret = found.groups()      # another one, if somebody took it meanwhile
        api = f'http://127.0.0.1:{port}/api/contents'
        with contextlib.suppress(OSError): answer(api)
        assert answer(api) == 403 and answer(f'{api}?token=wrong') == 403
        assert answer(f'{api}?token={secret}') == 200 and len(secret) >= 32
        if sys.platform == 'linux': assert listening(server.pid) == {'0100007F'}
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired): server.wait(20)
        server.kill()

offline = '''
import socket, sys
tried = []
def refuse(event, args):
    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.gethostbyname', 'socket.sendto', 'socket.bind'): tried.append((event, args[1:])); raise OSError(f'{event} {args[1:]}')
sys.addaudithook(refuse)
import importlib, pkgutil, tempfile, jepa_tutorial
for m in pkgutil.walk_packages(jepa_tutorial.__path__, 'jepa_tutorial.'): importlib.import_module(m.name)
from pathlib import Path
from jepa_tutorial.tools.commands import jepa_plan, jepa_train, jepa_unroll
with tempfile.TemporaryDirectory() as d:
    jepa_plan('quick', episodes=1, steps=5, out=d, json=True)
    jepa_train('quick', ('optim.epochs=1', 'optim.epoch_steps=2', 'optim.batch=2', 'eval.unroll_every=0'), out=d + '/run', json=True)
print('\\ntried:', tried)
try: socket.create_connection(('127.0.0.1', 9), 1)
except OSError as e: print('guard:', 'socket.' in str(e))
'''

@pytest.mark.promise('Importing the package, planning with a model that comes with it, and training open no network connection.')
def test_no_network_is_used(tmp_path):
    done = subprocess.run([sys.executable, '-c', offline], cwd=tmp_path, env=dict(os.environ, PYTHONPATH=str(root), OMP_NUM_THREADS='1', JEPA_DEVICE='cpu'), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'tried: []' in done.stdout and 'guard: True' in done.stdout, done.stdout[-500:]
