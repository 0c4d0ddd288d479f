"A result that today's code would not give again is noticed; one that only looks different isn't."
import json, os, subprocess, sys
from pathlib import Path
import numpy as np, pytest, torch
from jepa_tutorial.tools import fingerprints
from jepa_tutorial.losses import objective
from jepa_tutorial.planning.cem import CEM
from jepa_tutorial.tools.fingerprints import changed, code_digest
from jepa_tutorial.tools.rows import Row

root = Path(__file__).resolve().parent.parent
row = Row('dense', 'fixed_wall')
digests = fingerprints.world_digest, fingerprints.training_digest, fingerprints.planner_digest

def forget():
    for d in digests: d.cache_clear()

@pytest.fixture
def result():
    threads = torch.get_num_threads(); torch.set_num_threads(1)
    forget()
    yield dict(row._asdict(), code_digest=code_digest(row))
    forget(); torch.set_num_threads(threads)

def sticky(position, action, *args, **kwargs): return position + .98*action
def refit(self, actions, cost):
    up = update(self, actions, cost)
    return up._replace(std=1.1*up.std)
update = CEM.update

def changes():
    "part -> a change of the code that measures otherwise."
    import jepa_tutorial.planning.episodes as episodes, jepa_tutorial.training.learner as training
    rate = training.learning_rate
    yield 'world', episodes, 'move_unchecked', sticky
    yield 'planner', CEM, 'update', refit
    yield 'training', training, 'learning_rate', lambda *a: 1.5*rate(*a)
    yield 'training', objective, 'covariance_loss', lambda z, *a, **k: z.std()

@pytest.mark.promise('A result that today\'s code would not give again is marked stale in every table; a change that computes the same leaves it alone.')
def test_stale_rows_are_marked(result, monkeypatch, record_property):
    assert changed(result) == []
    found = []
    for part, where, name, new in changes():
        with monkeypatch.context() as m:
            m.setattr(where, name, new); forget()
            assert changed(result) == [part], f'{name} changed, and {changed(result)} is said to be stale'
            assert fingerprints.stale_note(result) == f' (stale: {part})'
            found.append(name)
    forget()
    with monkeypatch.context() as m:                       # as a check of arguments would be
        m.setattr(CEM, 'update', lambda self, actions, cost: update(self, actions + 0., cost)); forget()
        assert changed(result) == []
    record_property('changes that were noticed', len(found))

def test_another_processor_makes_nothing_stale(result):
    "The same digests from PyTorch's plainest kernels, on one thread."
    code = 'import json; from jepa_tutorial.tools.fingerprints import code_digest; from jepa_tutorial.tools.rows import Row; print(json.dumps(code_digest(Row("dense", "fixed_wall"))))'
    env = {**os.environ, 'ATEN_CPU_CAPABILITY': 'default', 'OMP_NUM_THREADS': '1'}
    out = subprocess.run([sys.executable, '-c', code], cwd=root, env=env, check=True, capture_output=True, text=True).stdout
    assert changed(dict(result, code_digest=json.loads(out))) == []

def test_every_result_keeps_a_behaviour():
    "Which rows are stale, `jepa_reproduce --list` says; that nobody could tell must not happen."
    for f in (root/'jepa_tutorial/results').glob('*/*.json'):
        kept = json.loads(f.read_text())
        for r in kept if isinstance(kept, list) else [kept]:
            b = r.get('code_digest', {})
            assert set(b) == ({'world'} if 'policy' in r else {'world', 'planner', 'training'}), f.name
            assert all(len(v) and np.isfinite(v).all() for v in b.values())

def test_shipped_models_keep_how_they_were_trained():
    for f in (root/'jepa_tutorial/weights').glob('*.json'): assert len(json.loads(f.read_text())['code_digest']) > 6, f.name
