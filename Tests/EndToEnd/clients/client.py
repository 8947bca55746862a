"""client.py LIBRARY URL [BODY] asks with a library of Python, and prints status, version of HTTP and length of the body."""

import sys


def by_requests(url, body):
    import requests
    answer = requests.request("POST" if body else "GET", url, data=body)
    return answer.status_code, answer.raw.version / 10, len(answer.content)


def by_httpx(url, body):
    return by_httpx2(url, body, http2=False)


def by_httpx2(url, body, http2=True):
    import httpx
    with httpx.Client(http2=http2) as client:
        answer = client.request("POST" if body else "GET", url, content=body)
    return answer.status_code, answer.http_version.removeprefix("HTTP/"), len(answer.content)


def by_urllib(url, body):
    import urllib.error
    import urllib.request
    try:
        answer = urllib.request.urlopen(url, data=body)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.version / 10 if hasattr(answer, "version") else 1.1, len(answer.read())


library, url, *body = sys.argv[1:]
print(*globals()["by_" + library](url, body[0].encode() if body else None))
