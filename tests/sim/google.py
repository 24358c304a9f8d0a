# SPDX-License-Identifier: Apache-2.0
"""Google's token endpoint: the JWT-bearer grant, verified claim by claim. What it issues is all that Vertex accepts."""

import json
import urllib.parse

import jwt

from sim.server import Answer

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
AUDIENCE = "https://oauth2.googleapis.com/token"


def _no(error, why, status=400):
    return Answer(status, json.dumps({"error": error, "error_description": why}).encode())


def token(world, request):
    if request.method != "POST" or request.target != "/token":
        return Answer(404, b"<html><title>Error 404 (Not Found)!!1</title></html>", "text/html")
    if "authorization" in request.names():
        return _no("invalid_request", "no other credential than the assertion")
    form = dict(urllib.parse.parse_qsl(request.body.decode("ascii", "replace")))
    if form.get("grant_type") != GRANT:
        return _no("unsupported_grant_type", "Invalid grant_type: %s" % form.get("grant_type"))
    text = form.get("assertion", "")
    try:
        if "=" in text or jwt.get_unverified_header(text).get("kid") not in (None, world.google_key_id):
            return _no("invalid_grant", "Invalid JWT: padding or kid")
        claims = jwt.decode(text, world.google_public, algorithms=["RS256"], audience=AUDIENCE,
                            options={"require": ["iss", "aud", "exp", "iat"], "verify_exp": False, "verify_iat": False})
    except jwt.PyJWTError as e:
        return _no("invalid_grant", "Invalid JWT Signature. (%s)" % e)
    if claims["iss"] != world.google_email:
        return _no("invalid_grant", "Invalid grant: account not found")
    if claims["aud"] != AUDIENCE or claims.get("sub") not in (None, claims["iss"]):
        return _no("invalid_grant", "Invalid JWT: audience or subject")
    if SCOPE not in claims.get("scope", "").split():
        return _no("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
    now = world.now()
    if claims["exp"] - claims["iat"] > 3600 or claims["iat"] > now + 300 or claims["exp"] <= now:
        return _no("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                   "timeframe. Check your iat and exp values in the JWT claim.")
    life = min(world.token_life, 3599)
    access = world.new_google_token()
    with world.lock:
        world.google_tokens[access] = now + life
    return Answer(200, json.dumps({"access_token": access, "expires_in": life, "token_type": "Bearer"}, indent=2).encode(),
                  "application/json; charset=utf-8")


def bearer(world, request):
    """Whether the request carries a living access token of ours, or one that the account signed for this host (AIP-4111)."""
    kind, _, access = (request.header("authorization") or "").partition(" ")
    if kind != "Bearer":
        return False
    return self_signed(world, request, access) if access.count(".") == 2 else world.google_tokens.get(access, 0) > world.now()


def self_signed(world, request, text):
    try:
        header = jwt.get_unverified_header(text)
        claims = jwt.decode(text, world.google_public, algorithms=["RS256"], audience="https://%s/" % request.host,
                            options={"require": ["iss", "sub", "aud", "exp", "iat"], "verify_exp": False, "verify_iat": False})
    except jwt.PyJWTError:
        return False
    now = world.now()
    return (header.get("kid") == world.google_key_id and claims["iss"] == claims["sub"] == world.google_email
            and "scope" not in claims and claims["exp"] - claims["iat"] <= 3600 and claims["iat"] <= now < claims["exp"])
