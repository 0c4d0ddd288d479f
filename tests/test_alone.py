"""Every page works wherever it is opened: alone in an empty folder, with the installed package and what JupyterLab brings.

Run by `make alone` (ten minutes on two cores). ALONE=06,checks runs some of the pages. What the project's own environment
has beyond the extra `lab`, nbdev above all, can't be imported there; torch and the rest need not be installed once more."""
import os, re, subprocess, sys, zipfile
from configparser import ConfigParser
from pathlib import Path
import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.alone
root = Path(__file__).resolve().parent.parent
some = tuple(filter(None, os.environ.get('ALONE', '').split(',')))
pages = sorted(p.relative_to(root/'nbs') for p in (root/'nbs').glob('**/*.ipynb')
               if not any(d[0] in '._' for d in p.relative_to(root/'nbs').parts) and (not some or p.stem.startswith(some)))

def needless():
    "The modules of packages that neither the library nor the extra `lab` asks for."
    config = ConfigParser(delimiters=['=']); config.read(root/'settings.ini', encoding='utf-8')
    asked = lambda *kinds: {Requirement(r).name.replace('-', '_') for k in kinds for r in config['DEFAULT'][f'{k}requirements'].split()}
    with_lab = {'ipykernel', 'nbclient', 'nbformat', 'packaging'}     # JupyterLab needs them
    return sorted(asked('dev_', 'track_', 'cluster_') - asked('', 'lab_') - with_lab)

HIDE = '''
import sys
from importlib.machinery import PathFinder
class Some(PathFinder):
    "Finds what Python's own finder does, but for a few packages."
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition('.')[0] in %r else PathFinder.find_spec(name, path, target)
sys.meta_path[:] = [Some if f is PathFinder else f for f in sys.meta_path]
'''

@pytest.fixture(scope='module')
def library(tmp_path_factory):
    "A folder with the package, as its wheel has it, and a list of what can't be imported beside it."
    out, folder = tmp_path_factory.mktemp('dist'), tmp_path_factory.mktemp('library')
    subprocess.run([sys.executable, '-m', 'build', '--outdir', out, root], check=True, capture_output=True)
    with zipfile.ZipFile(next(out.glob('*.whl'))) as z: z.extractall(folder)
    (folder/'sitecustomize.py').write_text(HIDE % needless())
    return folder

@pytest.fixture(autouse=True)
def environment(library, monkeypatch):
    for k, v in dict(PYTHONPATH=str(library), IN_TEST='1', OMP_NUM_THREADS=os.environ.get('OMP_NUM_THREADS', '2')).items(): monkeypatch.setenv(k, v)

def is_run(cell):
    "All code but what is only shown; the stub of an exercise may be run before anybody has solved it."
    return cell.cell_type != 'code' or not re.search(r'^#\|\s*eval:\s*false', cell.source, re.M) or 'check_' in cell.source

def test_the_environment_lacks_what_a_reader_lacks(library, tmp_path):
    assert 'nbdev' in needless() and 'pytest' in needless()
    code = 'import jepa_tutorial; print(jepa_tutorial.__file__)\ntry: import nbdev\nexcept ModuleNotFoundError as e: print(e)'
    file, error = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
    assert Path(file).is_relative_to(library) and 'nbdev' in error

@pytest.mark.parametrize('page', pages, ids=lambda p: p.with_suffix('').as_posix())
def test_page_runs_alone(page, tmp_path):
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    nb = nbformat.read(root/'nbs'/page, as_version=4)
    nb.cells = [c for c in nb.cells if is_run(c)]
    nbformat.write(nb, tmp_path/page.name)
    client = NotebookClient(nb, timeout=900, kernel_name='python3', resources={'metadata': {'path': str(tmp_path)}})
    try: client.execute()
    except CellExecutionError as e: pytest.fail(f'{e.ename}: {e.evalue}'[:600], pytrace=False)
