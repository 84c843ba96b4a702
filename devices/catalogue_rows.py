"""The rows of the catalogue: published work, read and put into words here. None was tried on a physical device.

A row without a `source` of its own reading says so. `tests/radio/test_quirks_*.py` hold each row against a virtual device
that does what the row says.
"""

from typing import Final

from devices import beurer, detecto, taidoc
from devices.model import ClockRule, Model, Support

CATALOGUE: Final[tuple[Model, ...]] = (
    # Cuffs -----------------------------------------------------------------------------------------------------------
    Model(
        id="and-ua-651ble",
        manufacturer="A&D",
        models=("UA-651BLE",),
        names=("A&D_UA-651BLE",),
        source="LivecareBluetoothSDK AD_BP_UA_651BLE.java (Date Time within 0x1810, before the subscription; five seconds "
        "for both); weliem/blessed-android BluetoothHandler.java (bond first, a pause); GenericBleController.kt of "
        "com.ihealthdevices (factory-test records)",
        remark="In the air for about a minute after a measurement, off about a minute after a connection. Pushes what it "
        "stored, oldest first, then hangs up. A clock never set gives no time stamp; factory tests are stored as NaN: "
        "both travel as what they are.",
        pairs_first=True,
        clock=ClockRule.BEFORE_SUBSCRIPTION,
        settle_s=0.7,
        subscribe_within_s=5.0,
        quiet_s=2.0,
    ),
    Model(
        id="omron-standard",
        manufacturer="Omron",
        models=("BP5150", "X4 Smart", "X2 Smart+"),
        names=("BLEsmart_",),
        company_ids=(0x020E,),
        source="eigger/hass-omron issues 7, 20, 91; weliem/blessed-android BluetoothHandler.java (when its clock may be "
        "written)",
        remark="Forgets readings once transferred: each is on disk before anything else is done. Its clock takes a new "
        "time only as an answer to the first Current Time it notifies. One bond at a time: its button is held until -P-.",
        support=Support.EITHER,
        pairs_first=True,
        clock=ClockRule.ON_FIRST_TIME,
    ),
    Model(
        id="omron-vendor",
        vendor_services=("FE4A",),
        company_ids=(0x020E,),
        source="userx14/omblepy: memory read over a service of its own",
        remark="Most Omron cuffs: no standard service, so no reading. Named as unsupported.",
        support=Support.VENDOR,
    ),
    Model(
        id="beurer-bm",
        manufacturer="Beurer",
        models=("BM48", "BM59", "BM85"),
        names=("BM48", "BM59", "BM85"),
        source="derdilla/blood-pressure-monitor-fl ble_read_cubit.dart and its two captured frames",
        remark="Pulse rate and status are big-endian, a user byte comes unannounced; only BM85 frames were seen. Wants a "
        "tenth of a second before the subscription.",
        settle_s=0.1,
        standard_form=beurer.standard_form,
    ),
    Model(
        id="transtek-bp",
        manufacturer="Transtek",
        models=("TMB",),
        source="LivecareBluetoothSDK TranstekBP (model number: not re-checked)",
        remark="The last value before it hangs up is the reading, and may come late: the session ends with its hang-up.",
        quiet_s=15.0,
    ),
    # Scales ----------------------------------------------------------------------------------------------------------
    Model(
        id="and-uc-352ble",
        manufacturer="A&D",
        models=("UC-352BLE",),
        names=("A&D_UC-352BLE",),
        vendor_services=("23434100-1FE4-1EFF-80CB-00FF78297D8B",),
        source="LivecareBluetoothSDK AD_SCALE_UC_352BLE",
        remark="Two scales of one name: newer ones speak 0x181D, older ones a service of their own, which is named as "
        "unsupported. No user slot: whoever the scale is given to.",
        support=Support.EITHER,
        pairs_first=True,
        clock=ClockRule.BEFORE_SUBSCRIPTION,
        settle_s=0.7,
        subscribe_within_s=5.0,
    ),
    Model(
        id="beurer-bf",
        manufacturer="Beurer",
        models=("BF720", "BF500", "BF788", "BF950", "BF105"),
        names=("BF720", "BF500", "BF788", "BF950", "BF105"),
        source="ble-scale-sync beurer-bf720.ts and its tests (issues 168, 229, 255), stale-bond.ts (290); openScale "
        "StandardWeightProfileHandler",
        remark="Bonds, then hands over a user's weighings for that user's code (`consent` in the gateway's settings), "
        "history too, with zeros where it kept no composition. New batteries wipe its users, and their codes.",
        pairs_first=True,
        clock=ClockRule.BEFORE_SUBSCRIPTION,
        drops=beurer.placeholder,
    ),
    Model(
        id="detecto",
        manufacturer="Detecto",
        models=("",),
        names=("DETECTO",),
        source="the maker's manual (easymanua.ls 7550, page 62): bit 4 of the flags is its own, 'below zero'",
        remark="The standard reserves that bit, and readers ignore it; a frame that has it is kept for people, for a weight "
        "below zero is nobody's.",
        doubts=detecto.below_zero,
    ),
    Model(
        id="xiaomi-scale",
        names=("MI_SCALE", "MI SCALE", "MIBCS", "MIBFS"),
        source="openScale issue 37 and its BluetoothMiScale",
        remark="Numbers of its own in the standard's characteristics (a weight that is not steady yet, a third unit): not "
        "read, and named as unsupported.",
        support=Support.VENDOR,
        misuses_standard=True,
    ),
    # Meters ----------------------------------------------------------------------------------------------------------
    Model(
        id="contour-next-one",
        manufacturer="Ascensia",
        models=("Contour",),
        names=("Contour",),
        source="weliem/blessed-android; NightscoutFoundation/xDrip issues 138, 762, 790, 1076",
        remark="Bonds at once, or hangs up. Reports its whole history to who asks for all: asked from the last number on. "
        "Its clock is behind a characteristic of its own, which is left alone.",
        pairs_first=True,
    ),
    Model(
        id="accu-chek",
        manufacturer="Roche",
        models=("929", "Accu-Chek", "meter+"),
        names=("meter+", "Accu-Chek"),
        source="NightscoutFoundation/xDrip issue 208; weliem/blessed-android issue 35; LivecareBluetoothSDK setPin",
        remark="Pairs with the six digits on its label (`passkey` in the gateway's settings), before anything else; may hang "
        "up at once and be there again. A record's time is its base time and offset.",
        pairs_first=True,
    ),
    Model(
        id="roche-aviva",
        manufacturer="Roche",
        models=("Aviva", "483", "484"),
        names=("Accu-Chek Aviva",),
        source="NightscoutFoundation/xDrip BluetoothGlucoseMeter.java (model numbers: not re-checked)",
        remark="Has Date Time within its glucose service: read, for the offset.",
        pairs_first=True,
    ),
    Model(
        id="taidoc",
        manufacturer="TaiDoc",
        models=("TD",),
        names=("TAIDOC", "FORA"),
        source="NightscoutFoundation/xDrip BluetoothGlucoseMeter.java (numbers that run backwards are replaced by times there; "
        "meal 6 is a ketone; control solutions are left out); the bogus record: in our notes, source not re-checked",
        remark="Its numbers run backwards, newest first, and there is no clock to read: all records are asked for, each is "
        "known by its time and value, and its time is taken as the home's. A record of 2037 is held for people, and so are a "
        "ketone (meal 6 in its context) and a control solution.",
        renumbers=True,
        doubts=taidoc.bogus,
    ),
    Model(
        id="caresens",
        manufacturer="i-SENS",
        models=("CareSens",),
        names=("CareSens",),
        source="NightscoutFoundation/xDrip and tidepool-org/ble-glucose between them (which of the two: not re-checked)",
        remark="Its clock is behind a service of its own, which is left alone. Dates a control solution with month 13, tells a "
        "ketone by meal 6 of its context: both are held for people, as a record of 2037 is.",
        doubts=taidoc.bogus,
    ),
    Model(
        id="lifescan-verio",
        manufacturer="LifeScan",
        models=("OneTouch", "Verio"),
        names=("OneTouch",),
        vendor_services=("AF9DF7A1-E595-11E3-96B4-0002A5D5C51B",),
        source="public readers of that service, NightscoutFoundation/xDrip among them",
        remark="A service of its own. Named as unsupported.",
        support=Support.VENDOR,
    ),
    # Others ----------------------------------------------------------------------------------------------------------
    Model(
        id="ihealth",
        manufacturer="iHealth",
        models=("",),
        names=("iHealth", "BP5S", "KN-550BT"),
        #: The ASCII of "com.jiuan."; what follows names the product.
        vendor_services=("636F6D2E-6A69-7561-6E2E-",),
        source="iHealthDeviceLabs-iOS issue 8; public readers of those services",
        remark="Services of its own, with a handshake. Named as unsupported.",
        support=Support.VENDOR,
    ),
    Model(
        id="nonin-3230",
        manufacturer="Nonin",
        models=("3230", "Model 3230"),
        names=("Nonin3230",),
        vendor_services=("46A970E0-0D5F-11E2-8B5E-0002A5D5C51B",),
        source="public readers of that service; that it has 0x1822 too: not re-checked",
        remark="A service of its own and, where it has it, the standard's: spot checks of the latter are read, continuous "
        "values never. Without it, named as unsupported.",
        support=Support.EITHER,
    ),
)

#: Looked for and not found: nothing was published of them, so that there is nothing to put into a row.
NOTHING_FOUND: Final = ("Welch Allyn",)
