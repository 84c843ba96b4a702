"""Signatures of providers, by the examples in their own documents; and what their words mean (F59, F62)."""

import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

import pytest

from alerts.channels import Answer, ChannelError, sinch, twilio, vonage
from alerts.channels.carriers import SIGNED_WITHIN, Came, Outcome, hand_over
from alerts.channels.own import carrier_of
from alerts.replies import KEY, KEYS_MAX, Call, Wish, pressed, reply_to, wish_of

NOW = datetime(2014, 9, 24, 10, 59, 41, tzinfo=UTC)


def test_twilios_example() -> None:
    """ "Webhooks security", the example with myapp.php."""
    fields = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675310"),
        ("Digits", "1234"),
        ("From", "+14158675310"),
        ("To", "+18005551212"),
    ]
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert twilio.signature("12345", url, fields) == "GvWf1cFY/Q7PnoempGyD5oXAezc="


def sinchs(**changed: object) -> Came:
    """ "Callback request signing", the example with ace."""
    body = b'{"event":"ace","callid":"822aa4b7-05b4-4d83-87c7-1f835ee0b6f6_257","timestamp":"2014-09-24T10:59:41Z","version":1}'
    headers = {
        "content-type": "application/json",
        "x-timestamp": "2014-09-24T10:59:41Z",
        "authorization": "application 669E367E-6BBA-48AB-AF15-266871C28135:Tg6fMyo8mj9pYfWQ9ssbx3Tc1BNC87IEygAfLbJqZb4=",
    }
    headers |= {name: str(value) for name, value in changed.items() if name in headers}
    url = str(changed.get("url", "https://callbacks.yourdomain.com/sinch/callback/ace"))
    return Came(url, headers, bytes(str(changed["body"]), "ascii") if "body" in changed else body)


def test_sinchs_example_and_what_differs_from_it_in_a_byte() -> None:
    secret = quote("BeIukql3pTKJ8RGL5zo0DA==", safe="")
    carrier = sinch.calls(f"sinchvoice://669E367E-6BBA-48AB-AF15-266871C28135:{secret}@+15550100100/{{to}}")
    assert carrier is not None
    fields = carrier.believed(sinchs(), now=NOW)
    assert fields is not None
    assert fields["event"] == "ace"
    for other in (
        sinchs(body="{}"),
        sinchs(url="https://callbacks.yourdomain.com/sinch/callback/pie"),
        sinchs(authorization="application x:Tg6fMyo8mj9pYfWQ9ssbx3Tc1BNC87IEygAfLbJqZb4="),
        sinchs(authorization=""),
    ):
        assert carrier.believed(other, now=NOW) is None
    for way in (1, -1):
        assert carrier.believed(sinchs(), now=NOW + way * SIGNED_WITHIN) is not None
        assert carrier.believed(sinchs(), now=NOW + way * (SIGNED_WITHIN + timedelta(seconds=1))) is None


def test_vonages_recipe() -> None:
    """ "Signing messages": `&` and `=` in a value become `_`; the digest by openssl dgst -sha256 -hmac secret."""
    fields = {"a": "1", "b": "2&3=4", "messageId": "0A1", "timestamp": "1461605396"}
    signed = "10c6d1a022efb6f781d652a3de79c31cfca9e0ba7b359ee682c9514e7aeaf40c"
    carrier = vonage.texts("vonagesms://key:secret@15550100100/{to}?signature=secret")
    assert carrier is not None
    at = datetime.fromtimestamp(1461605396, UTC)
    assert vonage.signature("secret", fields) == signed
    form = {"content-type": "application/x-www-form-urlencoded"}
    believed = [
        carrier.believed(Came("", form, urlencode(given).encode()), now=now)
        for given, now in (
            ({**fields, "sig": signed.upper()}, at),
            ({**fields, "sig": signed}, at + SIGNED_WITHIN + timedelta(seconds=1)),
            ({**fields, "sig": ""}, at),
            (fields, at),
        )
    ]
    assert [found is not None for found in believed] == [True, False, False, False]


@pytest.mark.parametrize(
    "url",
    [
        "twiliosms://AC1@+15550100100/{to}",
        "twiliovoice://AC1:token@clinic/{to}",
        "sinchvoice://key:not-base64@+15550100100/{to}",
        "vonagesms://key:secret@15550100100/{to}",
        "vonagesms://[x/{to}",
    ],
)
def test_what_could_not_be_believed_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ChannelError, match="must hold an account, its secret and a sender"):
        carrier_of(url)
    assert carrier_of("mailto://localhost") is None, "apprise's"


@pytest.mark.parametrize(
    "fields, outcome",
    [
        ({"CallStatus": "completed"}, Outcome.ON_ITS_WAY),
        ({"CallStatus": "completed", "AnsweredBy": "human"}, Outcome.DELIVERED),
        ({"AnsweredBy": "machine_end_beep"}, Outcome.NOT_DELIVERED),
        ({"AnsweredBy": "fax"}, Outcome.NOT_DELIVERED),
        ({"AnsweredBy": "unknown"}, Outcome.ON_ITS_WAY),
        ({"CallStatus": "canceled"}, Outcome.NOT_DELIVERED),
        ({"CallStatus": "ringing"}, Outcome.ON_ITS_WAY),
        ({"Digits": ""}, Outcome.ON_ITS_WAY),
        ({}, Outcome.ON_ITS_WAY),
    ],
)
def test_only_a_person_has_been_reached(fields: dict[str, str], outcome: Outcome) -> None:
    carrier = twilio.calls("twiliovoice://AC1:token@+15550100100/{to}")
    assert carrier is not None
    assert carrier.told(fields).outcome is outcome


def test_a_voice_reads_no_brackets() -> None:
    """What ends Sinch's prompt or Twilio's document stands in a clinic's name."""
    caller = sinch.calls(f"sinchvoice://key:{quote('c2VjcmV0', safe='')}@+15550100100/{{to}}")
    other = twilio.calls("twiliovoice://AC1:token@+15550100100/{to}")
    assert caller is not None
    assert other is not None
    assert "#tts[Smith   Sons ]" in caller.spoken("Smith];[Sons ", asks=True).body.replace(
        "Smith   Sons", "Smith   Sons"
    )
    assert "Smith &amp; &lt;Sons&gt;" in other.spoken("Smith & <Sons>", asks=True).body


def test_one_key_and_few_tries() -> None:
    assert pressed(KEY, heard=KEYS_MAX).takes
    assert not pressed(KEY, heard=KEYS_MAX + 1).takes
    for keys in ("", "1", "44", "4#", " 4", "٤", "?"):
        assert not pressed(keys, heard=1).takes, keys
    assert [pressed("1", heard=heard).again for heard in range(1, KEYS_MAX + 2)] == [True, True, False, False]


def test_an_address_that_is_no_number_is_asked_of_nobody() -> None:
    def never() -> None:
        raise AssertionError

    for address in ("nora@clinic.example", "", "++1", "+1 555", "+1/../2", "+١٢٣"):
        assert hand_over("p", address, never) == Answer(False, "p cannot write to this address")


def test_who_wants_no_more_texts() -> None:
    """A word alone, however it is written; within anything else it is no wish: "end of shift, ACK 4711" acknowledges."""
    for text in ("STOP", " Stop. ", "stop all", "UNSUBSCRIBE", "opt-out", "\uff33\uff34\uff2f\uff30", "ARRÊT"):
        assert wish_of(text) is Wish.STOP, text
    assert wish_of("Start!") is Wish.START
    for text in ("", "ACK 4711", "stop ACK 4711", "end of shift", "ok"):
        assert wish_of(text) is None, text
    carrier = twilio.texts("twiliosms://AC1:token@+15550100100/{to}")
    assert carrier is not None
    asked = [carrier.text({"From": "+15550100101", "Body": "Basta", **more}) for more in ({"OptOutType": "STOP"}, {})]
    assert [text.wish for text in asked] == [Wish.STOP, None]


def test_digits_of_any_keyboard_are_digits() -> None:
    """Arabic-Indic, Persian, Devanagari, full-width: what a telephone writes that is set to that language."""
    call = Call(1, 1, 1, "4711", True, "abcd1234", 1, False, "")
    for text in ("ACK ٤٧١١", "ack ۴۷۱۱", "ACK ४७११", "ACK 4711", "ACK 4٧1１"):
        assert reply_to(text, [call]).call is call, text
    for text in ("ACK ⁴⁷¹¹", "ACK ④⑦①①", "ACK ٤٧١", "ACK ٤٧١١٢", "ACK 4711 ٤٧١٢"):
        assert reply_to(text, [call]).call is None, text


def test_what_vonage_signed_cannot_be_cut_another_way() -> None:
    """`&` and `=` in a name would make one field of two, under the same signature: a part of a text would be a whole one."""
    carrier = vonage.texts("vonagesms://key:secret@15550100100/{to}?signature=secret")
    assert carrier is not None
    signed = {"concat": "true", "messageId": "0A1", "text": "ACK 4711", "timestamp": "1461605396", "type": "text"}
    sig = vonage.signature("secret", signed)
    cut = {"concat=true&messageId": "x", **{name: value for name, value in signed.items() if name != "concat"}}
    at = datetime.fromtimestamp(1461605396, UTC)
    assert carrier.believed(_form({**signed, "sig": sig}), now=at) is not None
    for fields in (cut, {**cut, "type=text": ""}):
        forged = hmac.new(b"secret", "".join(f"&{name}={fields[name]}" for name in sorted(fields)).encode(), "sha256")
        assert carrier.believed(_form({**fields, "sig": forged.hexdigest()}), now=at) is None
    unnamed = {name: value for name, value in signed.items() if name != "messageId"}
    assert carrier.believed(_form({**unnamed, "sig": vonage.signature("secret", unnamed)}), now=at) is None


def _form(fields: dict[str, str]) -> Came:
    return Came("", {"content-type": "application/x-www-form-urlencoded"}, urlencode(fields).encode())
