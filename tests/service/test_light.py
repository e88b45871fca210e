"""The service answers everything without the packages that only building needs, such as TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from made_index import movie_id, reviewer_id, write_index

SOMEONE, MOVIE = reviewer_id(7), movie_id(3)
ASKED = [
    *(f"/v1/recommend/reviewer/{SOMEONE}?where=year>1970&diversity=0.5", f"/v1/recommend/movie/{MOVIE}"),
    *("/v1/recommend/reviewer/nobody?fallback=popular", f"/v1/similar/movie/{MOVIE}", "/v1/info"),
    *(f"/v1/similar/reviewer/{SOMEONE}", f"/v1/movies/{MOVIE}", f"/v1/reviewers/{SOMEONE}"),
    *("/v1/movies?title=film", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/", "/map"),
    *("/about", f"/movie/{MOVIE}", f"/reviewer/{SOMEONE}?novelty=1", f"/newcomer?rate={MOVIE}%3D5"),
    *(
        f"/together?reviewer={SOMEONE}&reviewer={reviewer_id(9)}",
        "/search?title=film",
        "/static/explorer.css",
    ),
]
POSTED = {
    "/v1/recommend/reviewers": {"reviewer_ids": [SOMEONE]},
    "/v1/recommend/ratings": {"ratings": {MOVIE: 5}},
    "/v1/recommend/group": {"reviewer_ids": [SOMEONE, reviewer_id(9)]},
    "/v1/predict": {"reviewer_id": SOMEONE, "movie_ids": [MOVIE]},
}
HEAVY = ("tensorflow", "keras", "sklearn", "pandas", "matplotlib", "optuna", "bs4", "pipelines")
SCRIPT = """
import json, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in heavy:
            raise ImportError(f"{name} is not there in a light installation")

directory, heavy, asked, posted = json.loads(sys.argv[1])
sys.meta_path.insert(0, Blocker())
from fastapi.testclient import TestClient
from engine.service.app import make_app
from engine.service.settings import ServiceSettings

with TestClient(make_app(ServiceSettings(indexes={"default": directory}, access_log=False))) as client:
    answers = [client.get(path) for path in asked]
    answers += [client.post(path, json=body) for path, body in posted.items()]
print(json.dumps([[str(one.url), one.status_code] for one in answers if one.status_code != 200]))
print(json.dumps([name for name in heavy if name in sys.modules]))
"""


def test_the_service_answers_everything_in_a_light_installation(tmp_path: Path) -> None:
    write_index(tmp_path / "index")
    given = json.dumps([str(tmp_path / "index"), HEAVY, ASKED, POSTED])
    done = subprocess.run([sys.executable, "-c", SCRIPT, given], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    refused, imported = map(json.loads, done.stdout.splitlines())
    assert refused == []
    assert imported == []
