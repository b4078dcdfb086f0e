"""Every setting of Pointkeeper, read from the environment.

With an empty environment the system runs on the embedded PostgreSQL and Valkey under ``var/``; production sets
``DATABASE_URL``, ``BROKER_URL``, ``SECRET_KEY`` and ``ALLOWED_HOSTS``. docs/deploy.md lists every variable, and the
checks in ``config/checks.py`` say what a deployment still lacks and how to mend it.
"""

from decimal import Decimal
from pathlib import Path

from celery.schedules import crontab
from csp.constants import NONCE, NONE, SELF
from django.utils.translation import gettext_lazy as _
from environs import Env

from config.embedded import locations
from config.mail_server import mail_settings
from config.unfold import UNFOLD as ADMIN_THEME

env = Env()

BASE_DIR = Path(__file__).resolve().parent.parent
# Everything the system writes lives here: the embedded servers, uploads, collected static files, the first password.
VAR_DIR = Path(env.str("VAR_DIR", str(BASE_DIR / "var"))).resolve()

DEBUG = env.bool("DEBUG", False)
# The demo shop: a page that lists buyers to sign in as and the mails that were sent. Never on in production.
DEMO = env.bool("DEMO", False)

SECRET_KEY = env.str("SECRET_KEY", "") or locations.secret_key(VAR_DIR)
# Former ones: sessions and links that were signed with them stay good, and sealed secrets readable.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", [])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", [])
# Set behind a TLS-terminating proxy: secure cookies, HSTS and the X-Forwarded-Proto header are then used.
HTTPS = env.bool("HTTPS", False)

INSTALLED_APPS = [
    "config.apps.ConfigConfig",
    "redemption.apps.RedemptionConfig",
    "loyalty.apps.LoyaltyConfig",
    "crm.apps.CrmConfig",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "axes",
    "csp",
    "django_celery_beat",
    "django_htmx",
    "import_export",
    "pgtrigger",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.quick_embeds.QuickEmbedsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.admin_policy.PolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "config.clean_addresses.NoNulMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "crm.signed_in.SignedInMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.context.shop",
            ],
        },
    },
]

# --- data -----------------------------------------------------------------------------------------------------------

DATABASE_URL = env.str("DATABASE_URL", "")
DATABASES = {"default": locations.database(DATABASE_URL, VAR_DIR, pool=env.bool("DATABASE_POOL", False))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "crm.User"

BROKER_URL = env.str("BROKER_URL", "")
CELERY_BROKER_URL = locations.broker(BROKER_URL, VAR_DIR)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = env.str("PROGRAMME_TIME_ZONE", "Asia/Shanghai")
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SCHEDULE = {
    "resume stalled imports": {
        "task": "crm.tasks.resume_stalled_imports",
        "schedule": 60.0,
        "options": {"expires": 50},
    },
    # No mail depends on a message: whatever is due is in the database, and looked for here.
    "send mails": {"task": "crm.tasks.send_mails", "schedule": 60.0, "options": {"expires": 50}},
    "resume stalled previews": {
        "task": "crm.tasks.resume_stalled_previews",
        "schedule": 60.0,
        "options": {"expires": 50},
    },
    "resume stalled member lists": {
        "task": "crm.tasks.resume_stalled_member_lists",
        "schedule": 60.0,
        "options": {"expires": 50},
    },
    "resume stalled data files": {
        "task": "crm.tasks.resume_stalled_data_files",
        "schedule": 60.0,
        "options": {"expires": 50},
    },
    "resume stalled backtests": {
        "task": "loyalty.tasks.resume_stalled_backtests",
        "schedule": 60.0,
        "options": {"expires": 50},
    },
    "resume stalled grants": {
        "task": "loyalty.tasks.resume_stalled_grants",
        "schedule": 60.0,
        "options": {"expires": 50},
    },
    "forget spent tokens": {"task": "crm.tasks.forget_spent_tokens", "schedule": 600.0, "options": {"expires": 500}},
    "sweep redemptions": {
        "task": "redemption.tasks.sweep_redemptions",
        "schedule": 60.0,
        "options": {"expires": 50},
    },
    # In the programme's time zone, which is Celery's; a few minutes after midnight the clocks of all machines agree.
    "night work": {"task": "loyalty.tasks.run_nightly", "schedule": crontab(hour=0, minute=10)},
}

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": locations.cache(env.str("CACHE_URL", ""), VAR_DIR, broker_url=BROKER_URL),
    },
    # In the process itself, for seconds: what is asked for a thousand times a second and the same for everybody.
    "near": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 1000}},
}

# Days after which the night deletes the order files of an import that is over; 0 keeps them.
ORDER_FILE_DAYS = env.int("ORDER_FILE_DAYS", 90)
MEDIA_ROOT = VAR_DIR / "media"  # Uploaded exports hold personal data: nothing serves this folder.
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

# --- languages and time ---------------------------------------------------------------------------------------------

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("zh-hant", "繁體中文"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["config.formats"]
USE_I18N = True
USE_TZ = True
# A day of the programme begins and ends here, and pages show its clock; the database keeps UTC.
TIME_ZONE = PROGRAMME_TIME_ZONE = env.str("PROGRAMME_TIME_ZONE", "Asia/Shanghai")

# --- static files ---------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": env.str("STATIC_BACKEND", "whitenoise.storage.CompressedManifestStaticFilesStorage"),
    },
}

# --- who may come in ------------------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_request_login_code"
LOGIN_REDIRECT_URL = "redemption:home"
LOGOUT_REDIRECT_URL = "redemption:home"

# Codes to phones: an address of the provider that messages are posted to, or "console:"; without it there are none.
SMS_URL = env.str("SMS_URL", "")
SMS_HEADERS = env.str("SMS_HEADERS", "")  # A JSON object.
# In place of {phone}, {code}, {text} and {minutes} stands what is to be sent.
SMS_BODY = env.str("SMS_BODY", '{"phone": "{phone}", "text": "{text}"}')
SMS_FORMAT = env.str("SMS_FORMAT", "json")  # Or "form".
SMS_SUCCESS = env.str("SMS_SUCCESS", "")  # What the answer has to hold, where a provider says 200 to everything.
SMS_TIMEOUT = env.int("SMS_TIMEOUT", 5)  # seconds
SMS_RETRIES = env.int("SMS_RETRIES", 2)
SMS_HOURLY_LIMIT = env.int("SMS_HOURLY_LIMIT", 500)  # Messages to all numbers together: they cost money.
# A buyer who spends more points than this at once is asked for a fresh code first; 0 asks nobody.
SPEND_CODE_POINTS = env.int("SPEND_CODE_POINTS", 0)

# Accounts of WeChat and Weibo that buyers have connected to their login: what the sites gave the shop, both or neither.
WEIXIN_KEY = env.str("WEIXIN_KEY", "")
WEIXIN_SECRET = env.str("WEIXIN_SECRET", "")
# Those of an official account (公众号), with which WeChat asks within its own browser.
WEIXIN_MP_KEY = env.str("WEIXIN_MP_KEY", "")
WEIXIN_MP_SECRET = env.str("WEIXIN_MP_SECRET", "")
WEIBO_KEY = env.str("WEIBO_KEY", "")
WEIBO_SECRET = env.str("WEIBO_SECRET", "")
SOCIALACCOUNT_ADAPTER = "crm.social.vouching.SocialAdapter"

# Buyers: a one-time code by mail, to addresses that the seller's data holds. Nobody signs up, nobody has a password.
ACCOUNT_ADAPTER = "crm.signin.BuyerAdapter"
ACCOUNT_FORMS = {
    "request_login_code": "crm.signin.AskForCodeForm",
    "confirm_login_code": "crm.signin.TypeCodeForm",
}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # The code itself proves the address.
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_FORMAT = {"numeric": True, "length": 8, "dashed": True}
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 600  # seconds
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = {
    "request_login_code": "20/m/ip,3/m/key",  # "key" is the address asked for.
    "redeem_coupon": "10/m/user,100/d/user",
    "check_coupon": "60/m/user,1500/d/user",
    "redeem_reward": "10/m/user,100/d/user",
    "campaign_code": "20/m/ip,5/m/user,50/d/user",
    "referral_link": "20/m/user,200/d/user",
    "referral_visit": "30/m/ip",
    "sso": "30/m/ip",
    "social": "20/m/ip,120/h/ip",
    "phone_code": "10/m/ip,60/h/ip,3/10m/key,10/d/key",  # "key" is the number asked for.
    "phone_code_all": f"{SMS_HOURLY_LIMIT}/h/key",
    "fresh_code": "3/m/user,20/h/user,20/m/ip",
    "own_data": "3/h/user",
    "statement": "10/m/user,60/h/user",
    "embed_session": "60/m/ip",
    "embed_act": "60/m/key",  # "key" is the member, here and below.
    "embed_redeem": "10/m/key,100/d/key",
    "embed_code": "3/m/key,20/h/key,20/m/ip",
    "payment_call": "600/m/ip,300/m/key",  # "key" is the caller's.
}
# How many proxies of ours stand in front, so that X-Forwarded-For is read up to the first one that is not ours.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", 0)

SESSION_ENGINE = "crm.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
X_FRAME_OPTIONS = "DENY"

AXES_FAILURE_LIMIT = env.int("LOGIN_FAILURE_LIMIT", 8)
AXES_COOLOFF_TIME = 0.25  # hours
AXES_CLIENT_IP_CALLABLE = "crm.signin.visitor_address"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False  # No greeting in the log of every command.
AXES_LOCKOUT_TEMPLATE = "lockout.html"

# Buyer pages run under this policy. The admin theme needs its own, which config/admin_policy.py puts on admin pages.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- mail -----------------------------------------------------------------------------------------------------------

EMAIL_URL = env.str("EMAIL_URL", "")
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Pointkeeper <points@localhost>")
# Without a mail server the mails are kept as files, where the demo page and a developer can read them.
EMAIL_FILE_PATH = VAR_DIR / "mail"
if EMAIL_URL:
    vars().update(mail_settings(EMAIL_URL))
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"

# --- the admin's theme -----------------------------------------------------------------------------------------------

UNFOLD = ADMIN_THEME

# --- the shop -------------------------------------------------------------------------------------------------------

SHOP_NAME = env.str("SHOP_NAME", "积分掌柜")
# Where the shop is for those who are not on its pages yet: links in mails begin with it.
SHOP_URL = env.str("SHOP_URL", "") or f"http://localhost:{env.str('PORT', '8000')}"
# Shown to a buyer whom the shop's data does not know yet: how to reach the seller.
SHOP_CONTACT = env.str("SHOP_CONTACT", "")

# Before rules are published that can pay more than this share of a price, the page warns.
EARNING_WARNING_PERCENT = env.decimal("EARNING_WARNING_PERCENT", Decimal(10))
# Points that one person may give or take: above either limit a second one has to approve.
GRANT_TOTAL_LIMIT = env.int("GRANT_TOTAL_LIMIT", 100_000)  # In one grant, given and taken added up.
GRANT_MEMBER_LIMIT = env.int("GRANT_MEMBER_LIMIT", 10_000)  # To or from one member at once.

# Font files for the PNG posters, beside those of the machine; one of them has to have Chinese.
POSTER_FONTS = env.list("POSTER_FONTS", [])

SITE_LABEL = _("Pointkeeper")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", "INFO")},
}
