"""A page with a form: Flask behind a function URL, with apig-wsgi between them."""

import os

from apig_wsgi import make_lambda_handler
from flask import Flask, redirect, render_template_string, request, session, url_for

PAGE = """<!doctype html>
<title>Greetings</title>
{% if name %}<p>Hello, {{ name }}! You have been here {{ visits }} time{{ "" if visits == 1 else "s" }}.</p>{% endif %}
<form method="post"><label>Your name <input name="name"></label> <button>Go</button></form>
"""

app = Flask(__name__)
# Signs the session's cookie. A function that more than its author can reach sets this variable.
app.secret_key = os.environ.get("SECRET_KEY", "for development only")


@app.get("/")
def page() -> str:
    """The form, and a greeting for who has given a name."""
    session["visits"] = session.get("visits", 0) + 1
    return render_template_string(PAGE, name=session.get("name"), visits=session["visits"])


@app.post("/")
def save():
    """Remember the name in the session, and show the page again."""
    session["name"] = request.form["name"].strip()[:100]
    return redirect(url_for("page"), 303)


lambda_handler = make_lambda_handler(app)
