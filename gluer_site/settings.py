"""All settings of Gluer. Each value an operator may change is read here, once, from the environment (docs/settings.md).

GLUER_MODE=embedded (the default) needs nothing: SQLite, secrets generated into var/, loopback only.
GLUER_MODE=production takes secrets, hosts, database and Redis from the environment and refuses unsafe ones.
"""

import os
import re
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path

import dj_database_url
import msgspec
from celery.schedules import crontab
from redis.backoff import NoBackoff
from redis.retry import Retry

from gluer_site.disk import unwritable
from gluer_site.environment import Environment, WrongEnvironment
from gluer_site.logs import logging_settings
from gluer_site.redis_url import weakness
from gluer_site.secrets import installation_secrets, is_fernet_key
from relay.core.limits import Limits

# Every program of Gluer reads this file before it writes one: database, secrets and schedule are nobody else's to read.
os.umask(0o077)

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
MODE = env.choice("GLUER_MODE", "embedded", ("embedded", "production"))
EMBEDDED = MODE == "embedded"
HOME = Path(env.text("GLUER_HOME", str(BASE_DIR / "var")))
DEBUG = env.flag("GLUER_DEBUG", False)

# --- secrets ---------------------------------------------------------------------------------------------------------
try:
    made = installation_secrets(HOME) if EMBEDDED else {}
    if EMBEDDED:
        (HOME / "staticfiles").mkdir(parents=True, exist_ok=True)  # WhiteNoise warns when it is missing
except OSError as problem:
    raise WrongEnvironment(f"Gluer cannot start: {unwritable(HOME, problem)}") from None
SECRET_KEY = env.text("GLUER_SECRET_KEY", made.get("GLUER_SECRET_KEY", ""))
LOOKUP_SECRET = env.text("GLUER_LOOKUP_SECRET", made.get("GLUER_LOOKUP_SECRET", ""))  # HMAC of keys: never changes
ENCRYPTION_KEYS = env.words("GLUER_ENCRYPTION_KEYS", made.get("GLUER_ENCRYPTION_KEYS", ""))  # the first one encrypts
env.require(
    all(map(is_fernet_key, ENCRYPTION_KEYS)),
    "GLUER_ENCRYPTION_KEYS takes Fernet keys separated by commas, each 32 random bytes in URL-safe base64 "
    "(python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())').",
)
SHORTEST_SECRET = 32  # characters; Django's own check asks for 50 of SECRET_KEY

# --- addresses -------------------------------------------------------------------------------------------------------
SITE_URL = env.url("GLUER_SITE_URL", "http://localhost:8000", ("http", "https")).rstrip("/")
RELAY_URL = env.url("GLUER_RELAY_URL", SITE_URL.replace("http", "ws", 1), ("ws", "wss")).rstrip("/")
ALLOWED_HOSTS = env.words("GLUER_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]" if EMBEDDED else "")
CSRF_TRUSTED_ORIGINS = [SITE_URL]
TRUSTED_PROXIES = env.words("GLUER_TRUSTED_PROXIES", "")  # addresses whose X-Forwarded-For counts
env.check(
    "GLUER_TRUSTED_PROXIES",
    TRUSTED_PROXIES,
    ip_network,
    "takes addresses or networks, separated by commas (10.0.0.7,10.1.0.0/16; nothing but zeros behind the prefix)",
)
HTTPS = SITE_URL.startswith("https:")

if not EMBEDDED:
    env.require(not DEBUG, "GLUER_DEBUG must be 0 in production.")
    for name, value in (("GLUER_SECRET_KEY", SECRET_KEY), ("GLUER_LOOKUP_SECRET", LOOKUP_SECRET)):
        env.require(
            len(value) >= SHORTEST_SECRET and "insecure" not in value and "change-me" not in value,
            f"{name} must be set to at least {SHORTEST_SECRET} random characters "
            "(python3 -c 'import secrets; print(secrets.token_urlsafe(48))').",
        )
    env.require(bool(ENCRYPTION_KEYS), "GLUER_ENCRYPTION_KEYS must hold at least one Fernet key.")
    env.require(
        bool(ALLOWED_HOSTS) and "*" not in ALLOWED_HOSTS,
        "GLUER_ALLOWED_HOSTS must name the hosts this site answers to (not *).",
    )

# --- Django ----------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "accounts",
    "projects",
    "billing",
    "relay",
]
MIDDLEWARE = [
    "gluer_site.content_security.ContentSecurityPolicy",
    "django.middleware.security.SecurityMiddleware",
    "gluer_site.static_files.StaticFiles",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "gluer_site.mistaken.MistakenRequests",
    "gluer_site.unavailable.Unavailable",
]
ROOT_URLCONF = "gluer_site.urls"
ASGI_APPLICATION = "gluer_site.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
FORM_RENDERER = "gluer_site.form_fields.Renderer"
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "/static/"
STATIC_ROOT = HOME / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o755  # collected files are for who serves them; files are 0644 by default
WHITENOISE_USE_FINDERS = EMBEDDED

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CSP = {  # all that pages need; no inline script, style or handler runs, whatever a name holds
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
    "object-src": ["'none'"],
}
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0  # a year

# --- database --------------------------------------------------------------------------------------------------------
DATABASES = {
    "default": dj_database_url.parse(
        env.url("DATABASE_URL", f"sqlite:///{HOME / 'gluer.sqlite3'}", ("sqlite", "postgres", "postgresql")),
        conn_max_age=60,
        conn_health_checks=True,
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",  # writers queue up instead of failing: 0 of 100 conflicting writes failed
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    DATABASES["default"]["TEST"] = {"NAME": str(HOME / "test.sqlite3")}  # a live server needs a file
else:
    DATABASES["default"]["ENGINE"] = "gluer_site.postgres"
    DATABASES["default"]["OPTIONS"] = {  # a connection that died without a word is noticed; DATABASE_URL's own win
        "connect_timeout": 3,  # s
        "tcp_user_timeout": 10_000,  # ms that what was sent may stay unacknowledged
        "keepalives_idle": 5,  # s without a word until the other side is asked
        "keepalives_interval": 2,  # s
        "keepalives_count": 3,
        # of who died in a transaction the server frees the locks; migrations have neither limit (gluer_site/postgres)
        "options": "-c statement_timeout=30s -c idle_in_transaction_session_timeout=60s",
        **DATABASES["default"].get("OPTIONS", {}),
    }

# --- Redis: broker and cache -----------------------------------------------------------------------------------------
REDIS_URL = env.url("REDIS_URL", "", ("redis", "rediss"))
env.require(EMBEDDED or bool(REDIS_URL), "REDIS_URL must be set in production (redis://:password@host:6379).")
REDIS_UNPROTECTED = env.flag("GLUER_REDIS_UNPROTECTED", False)  # no password, or no TLS across public networks
env.require(
    EMBEDDED or REDIS_UNPROTECTED or not REDIS_URL or not weakness(REDIS_URL),
    f"REDIS_URL {weakness(REDIS_URL)}. Whoever reaches Redis there reads and queues what he likes: mend it, "
    "or say GLUER_REDIS_UNPROTECTED=1 if something else protects it.",
)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": f"{REDIS_URL}/1",
        "KEY_PREFIX": "gluer-json",
        # A frozen Redis holds a page up for 2 s; once more, since a Redis that was restarted has closed our connections
        "OPTIONS": {
            "serializer": "gluer_site.cache.JSONSerializer",
            "socket_timeout": 1,
            "socket_connect_timeout": 1,
            "retry": Retry(NoBackoff(), 1),
        },
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 10_000}}
}
CELERY_BROKER_URL = f"{REDIS_URL}/0" if REDIS_URL else "memory://"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # worker and beat try for as long as Redis is away
CELERY_BROKER_TRANSPORT_OPTIONS = {  # a connection that died silently is made anew within 15 s
    "socket_timeout": 4,  # s; longer than the 1 s that Redis keeps who waits for a task
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 5,  # s; an answer that is so much overdue ends its connection
}
CELERY_TASK_ALWAYS_EAGER = CELERY_TASK_EAGER_PROPAGATES = not REDIS_URL  # no worker: mails are sent at once
CELERY_WORKER_REDIRECT_STDOUTS = False  # mails that are printed stay as they are
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]  # of whoever writes to Redis: never pickle, which runs code
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False  # nobody may stop the worker through Redis
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True  # a task whose worker is killed is run again; every task is idempotent
CELERY_TASK_TIME_LIMIT = 300  # s
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE_FILENAME = str(HOME / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    "fold-usage": {"task": "billing.tasks.fold_usage", "schedule": 5.0, "options": {"expires": 5}},
    "send-usage-mails": {"task": "billing.tasks.send_usage_mails", "schedule": 30.0, "options": {"expires": 30}},
    "send-spike-mails": {"task": "billing.tasks.send_spike_mails", "schedule": 30.0, "options": {"expires": 30}},
    "prune": {"task": "billing.tasks.prune_batches", "schedule": crontab(minute="17")},
    "prune-keys": {"task": "projects.tasks.prune_keys", "schedule": crontab(minute="37")},
    "prune-sessions": {"task": "accounts.tasks.prune_sessions", "schedule": crontab(minute="47")},
    "prune-changes": {"task": "projects.tasks.prune_changes", "schedule": crontab(minute="27")},
}

# --- accounts --------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
PASSWORD_HASHERS = ["accounts.hashing.BoundedArgon2"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/ctx"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_SIGNUP_FORM_CLASS = "accounts.forms.SignupForm"
ACCOUNT_FORMS = {
    "login": "accounts.account_forms.LoginForm",
    "signup": "accounts.account_forms.SignUpForm",
    "add_email": "accounts.account_forms.AddEmailForm",
    "change_password": "accounts.account_forms.ChangePasswordForm",
    "set_password": "accounts.account_forms.SetPasswordForm",
    "reset_password": "accounts.account_forms.ResetPasswordForm",
    "reset_password_from_key": "accounts.account_forms.ResetPasswordKeyForm",
    "reauthenticate": "accounts.account_forms.ReauthenticateForm",
}
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_CHANGE_EMAIL = True  # one address per person
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # to change the address: whoever finds an open browser takes no account
ACCOUNT_EMAIL_NOTIFICATIONS = True  # of a changed password or address
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Gluer] "
ACCOUNT_RATE_LIMITS = {  # number/time/of what; an IPv6 address counts with its /64 (docs/limits.md)
    "login": "",  # counted by AccountAdapter, which knows devices that logged in before
    "login_attempt": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key,30/d/key",  # key: an e-mail address tried from one address
    "login_failed_anywhere": "1000/d/key",  # key: an e-mail address
    "login_known": "30/m/key",  # key: an account, tried from a device that it has used
    "login_failed_known": "5/5m/key",
    "confirm_email": "",  # its mails are counted as "mail"
    "signup": "20/m/ip,500/d/ip",
    "reset_password": "20/m/ip,500/d/ip",
    "manage_email": "10/m/user,50/d/user",  # each change mails an address
    "invite": "20/h/user,100/d/user",
    "mail": "5/h/key,20/d/key",  # key: a kind of mail to one e-mail address
}
EMAIL_BACKEND = env.text(
    "GLUER_EMAIL_BACKEND",
    "django.core.mail.backends.console.EmailBackend" if EMBEDDED else "django.core.mail.backends.smtp.EmailBackend",
)
EMAIL_HOST = env.text("GLUER_EMAIL_HOST", "localhost")
EMAIL_PORT = env.integer("GLUER_EMAIL_PORT", 25, 1, 65535)
EMAIL_HOST_USER = env.text("GLUER_EMAIL_USER")
EMAIL_HOST_PASSWORD = env.text("GLUER_EMAIL_PASSWORD")
EMAIL_USE_TLS = env.flag("GLUER_EMAIL_TLS", False)
EMAIL_TIMEOUT = 10  # s; a worker must not hang on a silent mail server
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("GLUER_EMAIL_FROM", "Gluer <gluer@localhost>")

# --- REST ------------------------------------------------------------------------------------------------------------
REST_RATE = env.text("GLUER_REST_RATE", "600/min")
env.check(
    "GLUER_REST_RATE",
    [REST_RATE],
    re.compile(r"[1-9][0-9]{0,8}/(second|sec|s|minute|min|m|hour|h|day|d)").fullmatch,
    "takes a number of requests and a time: 10/second, 600/min, 10000/hour or 100000/day",
)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.AccessTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated", "accounts.rest.TokenScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["accounts.rest.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "accounts.rest.Pagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"user": REST_RATE},
    "NUM_PROXIES": 0,  # REMOTE_ADDR is the client's already: uvicorn takes it from TRUSTED_PROXIES' header (serve.py)
    "EXCEPTION_HANDLER": "accounts.problems.problem",
    "DEFAULT_VERSIONING_CLASS": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Gluer",
    "DESCRIPTION": "What the dashboard does, over REST: projects, keys, servers and usage.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "accounts.schema.declare_problems",
        "accounts.schema.declare_names",
        "accounts.schema.close_bodies",
    ],
}

# --- relay -----------------------------------------------------------------------------------------------------------
LIMITS = Limits(
    **{
        field.name: env.integer(f"GLUER_LIMIT_{field.name.upper()}", int(field.default), 1, 2_000_000_000)
        for field in msgspec.structs.fields(Limits)
    }
)

BACKPLANE = env.choice("GLUER_BACKPLANE", "memory" if EMBEDDED else "redis", ("memory", "redis"))
env.require(
    not EMBEDDED or BACKPLANE == "memory" or bool(REDIS_URL),
    "GLUER_BACKPLANE=redis needs REDIS_URL (redis://host:6379).",
)
CHANNEL_LAYERS = (
    {}
    if BACKPLANE == "memory"
    else {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {
                # the backplane has its own time limits; the parser of protocol 3 prints every batch for its log
                "hosts": [{"address": REDIS_URL, "socket_timeout": None, "protocol": 2}],
                # Redis' channels are the same in all its databases: installations are told apart by their secret
                "prefix": f"gluer-{sha256(LOOKUP_SECRET.encode()).hexdigest()[:12]}",
            },
        }
    }
)
SETTLING = env.integer("GLUER_SETTLING", 10, 0, 300)  # s after a start in which calls wait for back ends to come back

# --- logs and metrics ------------------------------------------------------------------------------------------------
LOG_LEVEL = env.choice("GLUER_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOG_FORMAT = env.choice("GLUER_LOG_FORMAT", "text" if EMBEDDED else "json", ("json", "text"))
ACCESS_LOG = env.choice("GLUER_ACCESS_LOG", "none", ("none", "site", "all"))
LOGGING = logging_settings(LOG_FORMAT, LOG_LEVEL)
METRICS_TOKEN = env.text("GLUER_METRICS_TOKEN")
env.require(
    not METRICS_TOKEN or len(METRICS_TOKEN) >= SHORTEST_SECRET,
    f"GLUER_METRICS_TOKEN must have at least {SHORTEST_SECRET} random characters, or none at all.",
)

env.refuse_wrong()
