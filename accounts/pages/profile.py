"""A person's page: name, links to e-mail and password, access tokens."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import BaseForm
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from accounts.decorators import SignedInRequest, private_form, private_page
from accounts.digests import digest
from accounts.encryption import decrypt, encrypt
from accounts.forms import NameForm, TokenForm
from accounts.models import AccessToken

NEW = "new_token"  # in the session, from the form that makes a token to the page that shows it


@private_page("GET")
def show(request: SignedInRequest) -> HttpResponse:
    return page(request)


@private_form("profile")
def rename(request: SignedInRequest) -> HttpResponse:
    form = NameForm(request.POST, instance=request.user, auto_id="person_%s")
    if not form.is_valid():
        request.user.refresh_from_db()
        return page(request, name_form=form)
    form.save()
    messages.success(request, "Your name is changed.")
    return redirect("profile")


@private_form("profile")
def make_token(request: SignedInRequest) -> HttpResponse:
    form = TokenForm(request.POST)
    if form.is_valid():
        try:
            name, scope = form.cleaned_data["name"], form.cleaned_data["scope"]
            token, text = AccessToken.make(request.user, name, form.expires_at(), scope)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            request.session[NEW] = encrypt(text)
            return redirect("new_token", token.pk)
    return page(request, token_form=form)


@private_page("GET")
def show_new_token(request: SignedInRequest, token_id: int) -> HttpResponse:
    """Show a token's text to the browser that has just made it, once."""
    token = get_object_or_404(AccessToken, pk=token_id, user=request.user)
    text = decrypt(request.session.pop(NEW, encrypt("")))
    if digest(text) != token.digest:
        messages.info(request, f"“{token.name}” is shown once, when it is made. Make another if you have no copy.")
        return redirect("profile")
    return render(request, "accounts/new_token.html", {"token": token, "text": text})


@private_page("GET", "POST")
def revoke_token(request: SignedInRequest, token_id: int) -> HttpResponse:
    token = get_object_or_404(AccessToken, pk=token_id, user=request.user)
    if request.method == "GET":
        return render(request, "accounts/revoke_token.html", {"token": token})
    token.delete()
    messages.success(request, f"The access token “{token.name}” is revoked.")
    return redirect("profile")


def page(request: SignedInRequest, **forms: BaseForm) -> HttpResponse:
    """The page, with the forms that were filled in wrongly."""
    context = {
        "tokens": request.user.access_tokens.all(),
        "name_form": NameForm(instance=request.user, auto_id="person_%s"),
        "token_form": TokenForm(),
        **forms,
    }
    return render(request, "accounts/profile.html", context, status=400 if forms else 200)
