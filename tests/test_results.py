"The committed results and weights say what they said in the first edition, under the names of the second."
import hashlib, json, sys
from pathlib import Path
import pytest, torch

root = Path(__file__).resolve().parent.parent
results, weights = root/'jepa_tutorial/results', root/'jepa_tutorial/weights'
sys.path.insert(0, str(root/'scripts'))
import migrate

def fixture(name): return json.loads((root/'tests/fixtures'/name).read_text(encoding='utf-8'))
def rows(file): return kept if isinstance(kept := json.loads(file.read_text(encoding='utf-8')), list) else [kept]

# file of the first edition -> its rows: success, failed tasks, digests
BEFORE = fixture('results_first_edition.json')

def today(name: str) -> Path:
    "The file that holds today what a file of the first edition held."
    if name.startswith('baselines'): return results/'final'/name
    words = name.removesuffix('.json').split('-')
    return results/'final'/('-'.join((migrate.PLANNERS | migrate.BUDGETS).get(w, w) for w in words) + '.json')

def test_every_result_is_there(): assert {*map(today, BEFORE)} <= {*results.glob('*/*.json')} and len(BEFORE) == 93

@pytest.mark.parametrize('name', BEFORE)
def test_results_are_what_they_were(name):
    "Success, failed tasks and digests, number by number."
    now = rows(today(name))
    assert len(now) == len(BEFORE[name])
    for old, new in zip(BEFORE[name], now):
        kept = {migrate.KEYS.get(k, k): v for k, v in old.items()}
        assert {k: new[k] for k in kept} == kept

def test_no_result_is_stale():
    from jepa_tutorial.tools.fingerprints import changed
    from jepa_tutorial.tools.rows import Row
    for file in sorted(results.glob('*/*.json')):
        for r in rows(file):
            assert changed(r) == [], file.name
            if 'policy' not in r: assert file.stem == Row(**{k: r[k] for k in Row._fields if k in r}).name

def test_every_shipped_model_has_its_row():
    "Its settings, filled with defaults, are those of a row, so nothing that ships is trained again."
    from jepa_tutorial.tools.reproduce import shipped
    from jepa_tutorial.tools.rows import PRESETS, queue, settings
    two_stages = lambda r: r.variant == 'refined' or settings(r).refine.updates > 0
    found = {shipped(settings(r), refined=two_stages(r)) for b in PRESETS for r in queue(b) if not r.epochs_back}
    assert found - {None} == {w.with_suffix('') for w in weights.glob('*.json')}

@pytest.mark.parametrize('name', fixture('weights_first_edition.json'))
def test_shipped_weights_give_the_same_numbers(name):
    "The file is the same to the bit; embeddings, a rollout and its reading are the same but for the rounding of another processor."
    from jepa_tutorial.tools.devices import rng
    from jepa_tutorial.training.checkpoints import load_pretrained
    from jepa_tutorial.world.two_rooms import render, sample_free, sample_layouts
    before = fixture('weights_first_edition.json')[name]
    assert hashlib.sha256((weights/f'{name}.safetensors').read_bytes()).hexdigest() == before['weights']
    layout, model = sample_layouts(6, generator=rng(1)), load_pretrained(name, 'cpu')
    images, actions = render(sample_free(layout, generator=rng(2)), layout), torch.randn(6, 12, 2, generator=rng(3))
    with torch.no_grad():
        z = model.jepa.encode(images)
        rollout = model.jepa.unroll(z, actions)
        read = model.probe(rollout)
    sums = [x.double().sum().item() for x in (z.abs(), rollout.abs(), read)]
    assert sums == pytest.approx(before['sums'], rel=1e-4, abs=2e-2)

def test_the_migration_changes_names_and_nothing_else(tmp_path):
    "On a folder of the first edition's kind; a second time there is nothing left to do."
    final, cards = tmp_path/'results/final', tmp_path/'weights'
    final.mkdir(parents=True)
    cards.mkdir()
    row = dict(budget='full', world='random_wall', variant='full', seed=1, back=1, planner='memory', contact='stop', steps=200, walls='', success=.5, inside=dict(rank=3.), behaviour=dict(world=[1.]))
    (final/'full-random_wall-full-s1-e1-memory-stop.json').write_text(json.dumps(row, indent=1) + '\n')
    (cards/'a.json').write_text(json.dumps(dict(config={}, behaviour=[1.], refined=dict(films=3, seed=5), fingerprint='old'), indent=1) + '\n')
    (tmp_path/'results/failures.json').write_text(json.dumps(dict(before=[], caught=dict(episodes=[dict(task=0, alert=1, memory=2)])), separators=(',', ':')))
    assert migrate.migrate(tmp_path) == 3 and migrate.migrate(tmp_path) == 0
    new = json.loads((final/'full-random_wall-full-s1-e1-revisit-stop.json').read_text())
    assert new.pop('preset') == 'random_wall'
    assert [*new.values()] == [v if v != 'memory' else 'revisit' for v in row.values()] and {'epochs_back', 'eval_world', 'embedding', 'code_digest'} <= new.keys()
    card = json.loads((cards/'a.json').read_text())
    said = json.dumps({k: v for k, v in card.items() if k != 'fingerprint'}, sort_keys=True)
    assert card['refined'] == dict(clips=3, seed=5) and card['code_digest'] == [1.] and card['fingerprint'] == hashlib.sha256(said.encode()).hexdigest()
    assert json.loads((tmp_path/'results/failures.json').read_text())['caught']['episodes'] == [dict(task=0, stuck_noise=1, revisit=2)]

def test_where_the_package_is_installed_the_list_shows_what_was_made_here(tmp_path, monkeypatch):
    "A row that a run has written to ./results stands beside those that came along; so does a run's own folder."
    from jepa_tutorial.tools import commands, files, reproduce
    monkeypatch.setattr(files, 'PACKAGE', tmp_path/'site-packages'/'jepa_tutorial'); monkeypatch.chdir(tmp_path)
    before = commands._all_known(commands._results(), True, ['dense'])
    row, known = next((r, v) for r, v in before.items() if v)
    files.write_json(reproduce.result_path(row, commands._results(), True), dict(known, success=known['low']))
    assert (tmp_path/'results'/'final').is_dir()
    after = commands._all_known(commands._results(), True, ['dense'])
    assert after[row]['success'] == known['low'] != known['success'] and {r for r in before if after[r] != before[r]} == {row}
