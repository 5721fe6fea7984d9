"""Answers of MLflow 3.16.0's own server, replayed: the same requests to cairn give the same answers.

mlflow_wire.jsonl was recorded from `mlflow server` over SQLite, one request a line:
m method, p path, b JSON body, q query, raw raw body, ct content type, save {name: path in the answer}, status, answer.
"$name" stands for what an earlier answer gave. Left out of the record, on purpose, is what cairn does otherwise:
  - refuses what MLflow lets through by accident: a filter that begins or ends with AND, an unknown status, a boolean value
  - answers 400 or 404 where MLflow fails with 500 (an experiment id that is no number, an unknown attribute of logged models)
  - NaN is not smaller than 1 in a filter; "latest" is the highest version; searches show aliases of versions
  - a version made from another version keeps its run
"""

import http.client
import json
import re
from pathlib import Path
from urllib.parse import urlencode, urlparse

RECORD = Path(__file__).with_name("mlflow_wire.jsonl")
TIMES = {"creation_time", "last_update_time", "creation_timestamp", "last_updated_timestamp", "creation_timestamp_ms", "last_updated_timestamp_ms"}
OWN_MESSAGES = {"sqlstate", "error_class", "workspace", "effective_trace_archival_retention"}


class Replay:
    def __init__(self, server):
        self.at = urlparse(server.url)
        self.token = server.token
        self.known = {}

    def fill(self, x):
        if isinstance(x, str):
            return re.sub(r"\$(\w+)", lambda k: str(self.known.get(k.group(1), k.group(0))), x)
        if isinstance(x, dict):
            return {k: self.fill(v) for k, v in x.items()}
        return [self.fill(v) for v in x] if isinstance(x, list) else x

    def plain(self, x):
        """Without times, ids and orders that differ from run to run."""
        if isinstance(x, dict):
            x = {k: v for k, v in x.items() if k not in OWN_MESSAGES and not (k == "outputs" and v == {})}
            if x.get("aliases") and isinstance(x["aliases"][0], str):
                del x["aliases"]
            if isinstance(x.get("latest_versions"), list):
                x["latest_versions"].sort(key=lambda v: int(v["version"]))
            return {k: "T" if k in TIMES else "" if k == "user_id" and v == "admin" else "TOK" if k == "next_page_token" else self.plain(v)
                    for k, v in x.items()}
        if isinstance(x, list):
            out = [self.plain(v) for v in x]
            return sorted(out, key=lambda d: json.dumps(d, sort_keys=True)) if out and isinstance(out[0], dict) and "key" in out[0] else out
        if isinstance(x, str):
            for name, value in sorted(self.known.items(), key=lambda kv: -len(str(kv[1]))):
                if isinstance(value, str) and len(value) > 8:
                    x = x.replace(value, "$" + name)
        return x

    def send(self, line):
        headers, body = {"Authorization": f"Bearer {self.token}"}, None
        if "raw" in line:
            body = line["raw"].encode()
        elif "b" in line:
            body = json.dumps(self.fill(line["b"]))
            headers["Content-Type"] = line.get("ct", "application/json")
        path = self.fill(line["p"])
        if "q" in line:
            path += "?" + urlencode(self.fill(line["q"]), doseq=True)
        c = http.client.HTTPConnection(self.at.hostname, self.at.port, timeout=60)
        c.request(line["m"], path, body=body, headers=headers)
        answer = c.getresponse()
        text = answer.read()
        c.close()
        try:
            return answer.status, json.loads(text) if text else {}
        except ValueError:
            return answer.status, text.decode(errors="replace")[:200]


def test_answers_are_mlflows(make_cairn):
    replay, wrong = Replay(make_cairn()), []
    lines = [json.loads(text) for text in RECORD.read_text().splitlines()]
    assert len(lines) > 300
    for line in lines:
        status, answer = replay.send(line)
        for name, path in line.get("save", {}).items():
            value = answer
            for part in path.split("."):
                value = value[part]
            replay.known[name] = value
        if line["status"] >= 400:
            got = {"error_code": answer.get("error_code")} if isinstance(answer, dict) else None
            same = status == line["status"] and (line.get("answer") is None or got == line["answer"])
        else:
            got = replay.plain(answer)
            same = status == line["status"] and got == line["answer"]
        if not same:
            wrong.append(f"{line['m']} {line['p']} {line.get('b', line.get('q'))}\n  expected {line['status']} {line.get('answer')}\n  got      {status} {got}")
    assert not wrong, f"{len(wrong)} of {len(lines)} answers differ:\n" + "\n".join(wrong[:10])
