# SPDX-License-Identifier: Apache-2.0
"""AWS credentials as the providers check them: Signature Version 4 by botocore's own code, Bedrock API keys, and the STS
actions that issue temporary credentials. Web identity tokens are verified by PyJWT against the published documents.
"""

import calendar
import hashlib
import hmac
import re
import time
import urllib.parse
import uuid
import xml.sax.saxutils

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from sim.server import Answer, Refused

SKEW = 300


def _stamp(text):
    return calendar.timegm(time.strptime(text, "%Y%m%dT%H%M%SZ"))


def check_sigv4(world, request, service, region):
    """The AwsKey that signed this request. Raises KeyError-like pairs as Refused by `fail(status, type, message)`."""
    m = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/(\d{8})/([a-z0-9-]+)/([a-z-]+)/aws4_request, ?"
                     r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})", request.header("authorization") or "")
    if not m:
        raise Fault(403, "MissingAuthenticationToken", "Missing Authentication Token")
    akid, day, scope_region, scope_service, signed, signature = m.groups()
    stamp = request.header("x-amz-date") or ""
    if not stamp.startswith(day) or (scope_region, scope_service) != (region, service):
        raise Fault(403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region and service")
    if abs(_stamp(stamp) - world.now()) > SKEW:
        raise Fault(403, "InvalidSignatureException", "Signature expired: %s is now earlier than the window" % stamp)
    key = world.aws.get(akid)
    session = request.header("x-amz-security-token")
    if key is None or key.session != session:
        raise Fault(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
    names = signed.split(";")
    must = {"host"} | {k for k in request.names() if k.startswith("x-amz-")}
    if not must <= set(names) or names != sorted(names):
        raise Fault(403, "SignatureDoesNotMatch", "'%s' must be a signed header" % sorted(must - set(names)))
    digest = hashlib.sha256(request.body).hexdigest()
    if request.header("x-amz-content-sha256") not in (None, digest):
        raise Fault(400, "InvalidSignatureException", "x-amz-content-sha256 is not that of the body")
    again = botocore.awsrequest.AWSRequest(method=request.method, url="https://%s%s" % (request.host, request.target),
                                           data=request.body)
    for n in names:
        again.headers[n] = ",".join(v for k, v in request.headers if k == n)
    again.context["timestamp"] = stamp
    signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(akid, key.secret, session), service, region)
    text = signer.string_to_sign(again, signer.canonical_request(again))
    if not hmac.compare_digest(signer.signature(text, again), signature):
        raise Fault(403, "InvalidSignatureException", "The request signature we calculated does not match the signature "
                    "you provided. Check your AWS Secret Access Key and signing method.")
    if key.expires is not None and key.expires <= world.now():
        raise Fault(403, "ExpiredTokenException", "The security token included in the request is expired")
    return key


class Fault(Exception):
    """An AWS error before it has the shape of its service."""

    def __init__(self, status, kind, message):
        super().__init__("%d %s: %s" % (status, kind, message))
        self.status, self.kind, self.message = status, kind, message


# --- STS -------------------------------------------------------------------------------------------------------------

NS = "https://sts.amazonaws.com/doc/2011-06-15/"


def _iso(t):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))


# Status, code and text of errors that only an order brings (STS API reference, common errors; IAM User Guide).
STS_ERRORS = {e[1]: e for e in (
    (403, "RegionDisabledException", "STS is not activated in this region for account:123456789012."),
    (403, "InvalidClientTokenId", "The security token included in the request is invalid."),
    (403, "IDPRejectedClaim", "The identity provider (IdP) reported that authentication failed."),
    (400, "IDPCommunicationError", "Unable to communicate with the identity provider."),
    (400, "PackedPolicyTooLarge", "Packed policy consumes 120% of allotted space."),
    (400, "Throttling", "Rate exceeded"),
    (400, "ValidationError", "1 validation error detected: Value 'x' at 'roleArn' failed to satisfy constraint"),
)}


def sts_error(status, code, message):
    body = ("<ErrorResponse xmlns=\"%s\">\n  <Error>\n    <Type>Sender</Type>\n    <Code>%s</Code>\n    <Message>%s</Message>"
            "\n  </Error>\n  <RequestId>%s</RequestId>\n</ErrorResponse>\n" % (
                NS, code, xml.sax.saxutils.escape(message), uuid.uuid4()))
    return Answer(status, body.encode(), "text/xml")


def _issued(action, key, more=""):
    e = xml.sax.saxutils.escape
    body = ("<%sResponse xmlns=\"%s\"><%sResult>%s<Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s"
            "</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials></%sResult>"
            "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>" % (
                action, NS, action, more, e(key.access_key_id), e(key.secret), e(key.session), _iso(key.expires),
                action, uuid.uuid4(), action))
    return Answer(200, body.encode(), "text/xml", [("x-amzn-requestid", str(uuid.uuid4()))])


def _seconds(form, default, low, high):
    n = int(form.get("DurationSeconds", default))
    if not low <= n <= high:
        raise Fault(400, "ValidationError", "1 validation error detected: Value '%d' at 'durationSeconds'" % n)
    return n


def _session_name(form):
    if not re.fullmatch(r"[\w+=,.@-]{2,64}", form.get("RoleSessionName", "")):
        raise Fault(400, "ValidationError", "Value at 'roleSessionName' failed to satisfy constraint")


def _web_identity(world, form):
    import jwt
    text = form.get("WebIdentityToken", "")
    if world.issuer is None:
        raise Fault(400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for this issuer")
    issuer, jwks = world.issuer
    try:
        kid = jwt.get_unverified_header(text)["kid"]
        found = [k for k in jwt.PyJWKSet.from_dict(jwks).keys if k.key_id == kid]
        if not found:
            raise Fault(400, "InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider")
        # Times by the simulator's clock, not by ours.
        claims = jwt.decode(text, found[0].key, algorithms=["RS256"], audience="sts.amazonaws.com", issuer=issuer,
                            options={"require": ["iss", "aud", "sub", "exp", "iat"], "verify_exp": False,
                                     "verify_iat": False, "verify_nbf": False})
    except (jwt.PyJWTError, KeyError, ValueError) as e:
        raise Fault(400, "InvalidIdentityToken", "%s: %s" % (type(e).__name__, e)) from None
    if not all(type(claims[k]) is int for k in ("exp", "iat")) or claims["iat"] > world.now() + SKEW:
        raise Fault(400, "InvalidIdentityToken", "iat or exp is no time")
    if claims["exp"] <= world.now():
        raise Fault(400, "ExpiredTokenException", "Token expired: current date/time must be before the expiration")
    if not claims["sub"].startswith(world.subjects):
        raise Fault(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    with world.lock:
        world.identities.append((text, claims))
    return claims


def sts(world, request):
    region = request.host.split(".")[1]
    try:
        return _sts(world, request, region)
    except Fault as e:
        return sts_error(e.status, {"UnrecognizedClientException": "InvalidClientTokenId",
                                    "InvalidSignatureException": "SignatureDoesNotMatch"}.get(e.kind, e.kind), e.message)


def _sts(world, request, region):
    if request.method != "POST" or request.target != "/" or not (request.header("content-type") or "").startswith(
            "application/x-www-form-urlencoded"):
        raise Fault(400, "ValidationError", "POST a form to /")
    form = dict(urllib.parse.parse_qsl(request.body.decode("ascii"), strict_parsing=True))
    action = form.get("Action")
    if form.get("Version") != "2011-06-15":
        raise Fault(400, "InvalidAction", "Could not find operation %s for version" % action)
    if action == "AssumeRoleWithWebIdentity":
        if request.header("authorization") is not None:
            raise Fault(403, "AccessDenied", "this action is not signed")
        _session_name(form)
        claims = _web_identity(world, form)
        if form.get("RoleArn") != world.role:
            raise Fault(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
        return _issued(action, world.issue_aws(_seconds(form, 3600, 900, 43200), action),
                       "<SubjectFromWebIdentityToken>%s</SubjectFromWebIdentityToken><Audience>sts.amazonaws.com</Audience>"
                       % xml.sax.saxutils.escape(claims["sub"]))
    key = check_sigv4(world, request, "sts", region)
    if action == "GetSessionToken":
        if key.session is not None:
            raise Fault(403, "AccessDenied", "Cannot call GetSessionToken with session credentials")
        return _issued(action, world.issue_aws(_seconds(form, 43200, 900, 129600), action))
    if action == "AssumeRole":
        _session_name(form)
        if form.get("RoleArn") != world.role or form.get("ExternalId") != world.external_id:
            raise Fault(403, "AccessDenied", "User is not authorized to perform: sts:AssumeRole on resource: %s" %
                        form.get("RoleArn"))
        return _issued(action, world.issue_aws(_seconds(form, 3600, 900, 3600 if key.session else 43200), action))
    if action == "GetCallerIdentity":
        body = ("<GetCallerIdentityResponse xmlns=\"%s\"><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/sim"
                "</Arn><UserId>AIDASIM</UserId><Account>123456789012</Account></GetCallerIdentityResult><ResponseMetadata>"
                "<RequestId>%s</RequestId></ResponseMetadata></GetCallerIdentityResponse>" % (NS, uuid.uuid4()))
        return Answer(200, body.encode(), "text/xml")
    raise Fault(400, "InvalidAction", "Could not find operation %s for version 2011-06-15" % action)


def only(request, *names):
    """Of all headers that could carry a credential, exactly these are there."""
    could = {"authorization", "x-api-key", "api-key", "x-goog-api-key", "x-amz-security-token", "cookie", "proxy-authorization"}
    extra = (request.names() & could) - set(names)
    if extra:
        raise Refused(401, b"unexpected credential header: " + ",".join(sorted(extra)).encode())
