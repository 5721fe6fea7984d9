"""Keys and logins as clients meet them."""

import requests


def make_key(cairn, **request):
    return cairn.ok("POST", "/keys", json=request)


def test_wrong_key_is_401_and_counted(cairn):
    before = cairn.metric("cairn_auth_refused_total", reason="unknown")
    answer = cairn.api("GET", "/status", token="cairn_wrong")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert cairn.metric("cairn_auth_refused_total", reason="unknown") == before + 1


def test_key_works_within_its_scope_until_it_is_revoked(cairn):
    key = make_key(cairn, name="scoped", scope="system.read")
    assert cairn.api("GET", "/status", token=key["key"]).status_code == 200
    refused = cairn.api("GET", "/audit", token=key["key"])
    assert refused.status_code == 403
    assert "scoped may not audit.read" in refused.json()["error"]["message"] or "scoped may not" in refused.text
    assert cairn.api("POST", "/keys", json={"name": "x", "scope": "system.read"}, token=key["key"]).status_code == 403
    revoked = cairn.ok("DELETE", f"/keys/{key['id']}")
    assert revoked["revoked_at"] and "hash" not in revoked and "key" not in revoked
    assert cairn.api("GET", "/status", token=key["key"]).status_code == 401


def test_key_text_is_shown_once(cairn):
    key = make_key(cairn, name="once", scope="lake.read", expires_in="1h")
    listed = cairn.api("GET", "/keys").text
    assert key["id"] in listed and key["key"] not in listed
    assert key["key"] not in cairn.api("GET", "/audit").text
    assert key["key"] not in cairn.log()


def test_role_key_reads_and_does_not_write(cairn):
    key = make_key(cairn, name="reader", role="viewer")
    assert cairn.api("GET", "/keys", token=key["key"]).status_code == 200
    assert cairn.api("POST", "/keys", json={"name": "x", "scope": "lake.read"}, token=key["key"]).status_code == 403


def test_bad_scope_is_refused_with_what_is_allowed(cairn):
    answer = cairn.api("POST", "/keys", json={"name": "x", "scope": "everything"})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["field"] == "scope" and "area.verb" in error["message"]


def test_basic_auth_takes_the_token_as_password(cairn):
    answer = requests.get(cairn.url + "/api/cairn/v1/whoami", auth=("anyone", cairn.token), timeout=10)
    assert answer.json()["id"] == "user:admin"


def test_login_link_becomes_a_cookie_once(cairn):
    link = cairn.ok("POST", "/login-links")
    browser = requests.Session()
    browser.trust_env = False
    looked = requests.head(cairn.url + link["path"], allow_redirects=False, timeout=10)
    assert looked.status_code == 200 and "Set-Cookie" not in looked.headers
    first = browser.get(cairn.url + link["path"], allow_redirects=False, timeout=10)
    assert (first.status_code, first.headers["Location"]) == (303, "/")
    cookie = first.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    who = browser.get(cairn.url + "/api/cairn/v1/whoami", timeout=10).json()
    assert (who["id"], who["via"]) == ("user:admin", "session")
    again = requests.get(cairn.url + link["path"], allow_redirects=False, timeout=10)
    assert again.status_code == 401 and "Set-Cookie" not in again.headers

    keys = cairn.url + "/api/cairn/v1/keys"
    request = {"name": "by-cookie", "scope": "lake.read"}
    assert browser.post(keys, json=request, timeout=10).status_code == 403
    assert browser.post(keys, json=request, headers={"Sec-Fetch-Site": "cross-site"}, timeout=10).status_code == 403
    assert browser.post(keys, json=request, headers={"Sec-Fetch-Site": "same-origin"}, timeout=10).status_code == 201

    ended = browser.delete(cairn.url + "/api/cairn/v1/session", headers={"Sec-Fetch-Site": "same-origin"}, timeout=10)
    assert ended.status_code == 200
    browser.cookies.set("cairn_session", cookie.split("=", 1)[1].split(";")[0])
    assert browser.get(cairn.url + "/api/cairn/v1/status", timeout=10).status_code == 401


def test_checks_of_the_door_pass(cairn):
    result = cairn.run_task("POST", "/verify", json={"only": ["access."]})
    assert (result["passed"], result["failed"]) == (4, 0), result
