"""The texts of the page of own traffic, in each language."""

from shared.translations import _, pgettext, translate

WORDS = translate(
    {
        "date": pgettext("date", "{day} {month_name} {year}"),
        "title": _("Own traffic"),
        "is_counted": _("This browser is counted, as that of any visitor."),
        "is_own": _("This browser is own traffic of the portal until {date}: its views are not counted with people."),
        "is_own_address": _(
            "Your address belongs to the portal, as its configuration says: your views are own traffic here, whatever"
            " this browser says."
        ),
        "ask": _("Do you work for the portal? Then your views need not count as those of people."),
        "stop": _("Do not count this browser"),
        "start": _("Count this browser again"),
        "how": _(
            "The choice is a cookie of this browser and this portal. It says nothing about you: all browsers that chose"
            " on one day have the same. The views stay in the statistics, apart from people, as own traffic."
        ),
        "link_expired": _("This link has expired. Ask for a new one."),
        "link_invalid": _("This link is not valid. Was it copied in full?"),
        "link_elsewhere": _("This link is of another portal. Open it there."),
        "not_of_this_page": _("Please use the button on this page."),
        "https_required": _("The choice can be kept over https only. Open the address with https."),
        "to_portal": _("To the portal"),
    }
)
