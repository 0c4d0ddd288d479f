"The wheel, in an environment that has nothing else, used from another folder."
import json, os, re, subprocess, sys, zipfile
from pathlib import Path
import pytest

root = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.wheel

def run(*args, **kwargs):
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, **kwargs)
    assert done.returncode == 0, f'{args}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}'
    return done.stdout

@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp('dist')
    run(sys.executable, '-m', 'build', '--outdir', out, root)
    return next(out.glob('*.whl'))

@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    "The bin folder of an environment with the wheel, the library's own requirements, and the tested torch."
    env = tmp_path_factory.mktemp('env')
    torch = re.search(r'^torch==.*', (root/'constraints.txt').read_text(), flags=re.M)[0]
    run(sys.executable, '-m', 'venv', env)
    run(env/'bin/pip', 'install', '-qq', '--disable-pip-version-check', torch, wheel)
    return env/'bin'

def test_wheel_holds_the_package_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {n.split('/')[0] for n in names} == {'jepa_tutorial', f'{wheel.name.split("-py3")[0]}.dist-info'}
    shipped = {f.relative_to(root).as_posix() for kind in ('configs/**/*.yaml', 'weights/*', 'tasks/*', '**/*.py', '**/*.pyi', 'py.typed')
               for f in (root/'jepa_tutorial').glob(kind) if f.is_file()}
    assert shipped <= set(names)
    assert not [n for n in names if n.endswith('.ipynb') or '/tests/' in n]

def test_environment_is_only_the_library(installed):
    names = {p['name'].lower() for p in json.loads(run(installed/'pip', 'list', '--format', 'json'))}
    assert not names & {'nbdev', 'jupyterlab', 'ipykernel', 'notebook', 'wandb', 'submitit', 'pytest'}
    run(installed/'pip', 'check')

@pytest.mark.parametrize('command', ['jepa_train', 'jepa_unroll', 'jepa_plan'])
def test_commands_explain_themselves(installed, tmp_path, command):
    assert 'Example: ' + command in ' '.join(run(installed/command, '--help', cwd=tmp_path).split())

def test_plans_an_episode_from_any_folder(installed, tmp_path):
    out = run(installed/'jepa_plan', 'quick', '--episodes', '1', '--steps', '40', '--json', cwd=tmp_path,
              env={**os.environ, 'PYTHONPATH': '', 'PYTHONSAFEPATH': '1'})
    assert isinstance(json.loads(out), dict)

def test_gymnasium_knows_the_room(installed, tmp_path):
    "Gymnasium loads no plugins by itself: the part before the colon is what it imports."
    code = "import gymnasium; print(gymnasium.make('jepa_tutorial.two_rooms:jepa_tutorial/TwoRooms-v0').reset(seed=0)[0].shape)"
    assert run(installed/'python', '-c', code, cwd=tmp_path).strip() == '(2, 65, 65)'
