"""A night with providers that take everything: texts that never arrive, telephones that are off, and one key that ends it.

Real are the providers' HTTP, their signatures and the pages they report to. The story ends with everything that went out, by
text, call and mail: it fails on what is missing, on what nobody expected, and on what came a minute late (E8, F59, F62).
"""

from pathlib import Path

from alerts.channels import Name
from alerts.channels.book import read_channels, read_hooks
from rpm.jobs import deliveries
from rpm.settings import Settings
from rpm.store.database import Database
from tests.services.judging import BASE_URL
from tests.services.test_contacts import add
from tests.stories.nights import Night
from tests.stories.test_nights_on_call import ORDINARY, STAFF
from tests.support.clock import SettableClock
from tests.support.mail import MailSink
from tests.support.providers.sinch import Sinch
from tests.support.providers.twilio import Twilio
from tests.support.providers.vonage import Vonage
from tests.support.website import Website

NORA, ADA = "+15550100111", "+15550100222"
OWNERS = {NORA: "nora", ADA: "ada"}


class WiredNight(Night):
    """A night whose texts and calls go over the wire, too. Texts by Vonage; calls by Sinch, and by Twilio where it takes none."""

    def __init__(
        self, database: Database, sink: MailSink, file: Path, vonage: Vonage, sinch: Sinch, twilio: Twilio
    ) -> None:
        super().__init__(database, sink, ORDINARY, begins="2026-06-10T02:08:00-04:00", staff=STAFF)
        self.vonage, self.sinch, self.twilio = vonage, sinch, twilio
        self.clock = SettableClock(self.desk.now)
        providers = {
            "sms": [("vonage", vonage.url)],
            "voice": [("sinch", sinch.voice_url), ("twilio", twilio.voice_url)],
        }
        lines = [
            line
            for channel, given in providers.items()
            for line in (
                f'[[channel]]\nname = "{channel}"',
                *(f'[[channel.provider]]\nname = "{name}"\nurl = "{url}"' for name, url in given),
            )
        ]
        file.write_text("\n".join(lines))
        file.chmod(0o600)
        self.desk.channels = read_channels(file, mail_url=sink.url)
        for who, channel, number in (
            ("nora", Name.SMS, NORA),
            ("nora", Name.VOICE, NORA),
            ("ada", Name.VOICE, ADA),
        ):
            add(self.desk, channel, number, who=who)
        # Tried first by text, then by call, and written to at last.
        self.desk.rows("update contact set position = 9 where channel = 'email' returning id")
        self._hooks = read_hooks(file).keys()
        self._read_texts = 0
        self._read_calls: dict[str, int] = {}

    def turn(self) -> None:
        """All loops, and what providers have said by now."""
        self.clock.set(self.desk.now)
        deliveries.run_once(self.desk.database, now=self.desk.now, providers=self._hooks)
        super().turn()
        for text in self.vonage.texts[self._read_texts :]:
            self.told.append(f"{self.wall} {OWNERS[f'+{text.to}']}: a text by vonage")
        self._read_texts = len(self.vonage.texts)
        for provider in (self.sinch, self.twilio):
            for call in provider.calls[self._read_calls.get(provider.name, 0) :]:
                self.told.append(f"{self.wall} {OWNERS[call.to]}: a call by {provider.name}")
            self._read_calls[provider.name] = len(provider.calls)


def test_everything_is_taken_and_nothing_arrives(
    database: Database, mail_sink: MailSink, vonage: Vonage, sinch: Sinch, twilio: Twilio, tmp_path: Path
) -> None:
    """At ten past two nobody hears of Nora's text, nor of her call; Ada is woken by hers and presses 4.

    At three the text comes back at once, a machine answers Nora's telephone, Sinch takes no calls any more, and Ada's line is busy.
    """
    file = tmp_path / "channels.toml"
    story = WiredNight(database, mail_sink, file, vonage, sinch, twilio)
    settings = Settings(dsn=database.dsn, channels_file=file, public_url=BASE_URL)
    with Website(database, story.clock, settings=settings) as pages:
        for provider in (vonage, sinch, twilio):
            provider.outside, provider.inside, provider.now = BASE_URL, pages.url, story.clock
        story.until("Wed 02:10 EDT")
        story.pressure("Alvarez")
        story.until("Wed 02:26 EDT")
        assert sinch.picks_up(sinch.calls[-1], "4")[-1].startswith("You have the alert.")
        story.until("Wed 02:40 EDT")
        story.closes("ada", "Alvarez")
        story.until("Wed 03:00 EDT")
        story.pressure("Brown")
        sinch.takes = False
        vonage.reports(vonage.texts[-1], "rejected")
        story.until("Wed 03:01 EDT")
        twilio.picks_up(twilio.calls[-1], by="machine_start")
        story.until("Wed 03:15 EDT")
        twilio.ends(twilio.calls[-1], "busy")
        story.until("Wed 03:20 EDT")
        story.takes("nora", "Brown")
        story.closes("nora", "Brown")
        story.until("Wed 04:00 EDT")
    assert story.told == [
        "Wed 02:10 EDT nora: a text by vonage",
        "Wed 02:11 EDT nora: a call by sinch",
        "Wed 02:13 EDT nora: urgent Alvarez, call 1",
        "Wed 02:25 EDT ada: a call by sinch",
        "Wed 03:00 EDT nora: a text by vonage",
        "Wed 03:01 EDT nora: a call by twilio",
        "Wed 03:02 EDT nora: urgent Brown, call 1",
        "Wed 03:15 EDT ada: a call by twilio",
        "Wed 03:16 EDT ada: urgent Brown, call 2",
    ]
