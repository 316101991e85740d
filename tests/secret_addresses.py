"""Addresses of stores with secrets, in the forms in which people give and mistype them."""

from __future__ import annotations

HOST = "127.0.0.1:9"  # where nobody listens
MARKS = ("s3c", "tpw")
"""What no output may hold: every secret is made of these."""

FORMS = {
    "user and password": f"http://ann:s3cret@{HOST}",
    "user and password over tls": f"https://ann:s3cret@{HOST}/",
    "database": f"postgresql://ann:s3cret@{HOST}/runs",
    "database with a driver": f"postgresql+psycopg://ann:s3cret@{HOST}/runs",
    "database without the driver": f"mysql+pymysql://ann:s3cret@{HOST}/runs",
    "@ in the password": f"http://ann:s3c@tpw@{HOST}",
    "@ in the password of a database": f"postgresql://ann:s3c@tpw@{HOST}/runs",
    "colon in the password": f"postgresql://ann:s3c:tpw@{HOST}/runs",
    "slash in the password": f"http://ann:s3c/tpw@{HOST}",
    "slash in the password of a database": f"postgresql://ann:s3c/tpw@{HOST}/runs",
    "digits and a slash in the password": f"http://ann:123/s3c@{HOST}",
    "question mark in the password": f"http://ann:s3c?tpw@{HOST}",
    "hash in the password": f"postgresql://ann:s3c#tpw@{HOST}/runs",
    "percent in the password": f"http://ann:s3c%tpw@{HOST}",
    "escapes in the password": f"http://ann:s3c%40%2Ftpw@{HOST}",
    "quotes in the password": f"http://ann:s3c'tpw@{HOST}",
    "both quotes in the password": f"http://ann:s3c'tpw\"tpw@{HOST}",
    "backslash in the password": f"http://ann:s3c\\tpw@{HOST}",
    "space in the password": f"postgres://ann:s3c tpw@{HOST}/runs",
    "spaces around": f"  http://ann:s3cret@{HOST} ",
    "password alone": f"http://:s3cret@{HOST}",
    "password of a database alone": f"postgresql://:s3cret@{HOST}/runs",
    "token as user": f"http://s3cret@{HOST}",
    "token as user without password": f"https://s3cret:@{HOST}",
    "token as user with a word": f"https://s3cret:x-oauth-basic@{HOST}",
    "password in the query": f"postgresql://{HOST}/runs?user=ann&password=s3cret",
    "token in the query": f"http://{HOST}/?token=s3c&tpw",
    "password of a key in the query": f"postgresql://{HOST}/runs?sslmode=require&sslpassword=s3cret",
    "secret and nothing else in the query": f"http://{HOST}/?s3cret",
    "odbc": "mssql+pyodbc:///?odbc_connect=DRIVER%3D%7Bx%7D%3BSERVER%3Dh%3BUID%3Dann%3BPWD%3Ds3cret",
    "mixed case": f"HtTp://Ann:s3cret@{HOST}",
    "upper case": f"POSTGRESQL://ann:s3cret@{HOST}/RUNS",
    "other name of a database": f"postgres://ann:s3cret@{HOST}/runs",
    "mistyped database": f"postgers://ann:s3cret@{HOST}/runs",
    "mistyped server": f"htp://ann:s3cret@{HOST}",
    "single slash": f"http:/ann:s3cret@{HOST}",
    "no slash": f"http:ann:s3cret@{HOST}",
    "no colon": f"http//ann:s3cret@{HOST}",
    "three slashes": f"postgresql:///ann:s3cret@{HOST}/runs",
    "no scheme": f"ann:s3cret@{HOST}",
    "no scheme and a token": f"s3cret@{HOST}",
    "no @": f"http://ann:s3cret/{HOST}",
    "no host": "postgresql://ann:s3c/tpw",
    "IPv6": "http://ann:s3cret@[::1]:9",
    "broken IPv6": "http://ann:s3cret@[::1",
    "several @": f"http://ann@s3c@tpw@{HOST}",
    "several @ for a database": f"postgresql://ann@s3c@tpw@{HOST}/runs",
    "mail address as user": f"postgresql://ann@home.org:s3c@tpw@{HOST}/runs",
    "sqlite with a login": f"sqlite://ann:s3cret@{HOST}/mlflow.db",
    "sqlite with a password": "sqlite:///mlflow.db?password=s3cret",
    "encrypted sqlite": "sqlite+pysqlcipher://:s3cret@/mlflow.db",
    "odd host": "http://ann:s3cret@a..b",
    "odd port": "http://ann:s3cret@127.0.0.1:99999",
}


def leaked(text: str) -> list[str]:
    """Return the parts of secrets that a text holds."""
    return [mark for mark in MARKS if mark in text.lower()]
