"""Slack as a buyer's channel: direct messages with the shop's bot.

slack_sdk is the client (Web API, Socket Mode) and slack-bolt the codec: `AsyncBoltRequest` tells whose
workspace and which conversation a payload belongs to, org-wide installs and Slack Connect included. Bolt's
dispatcher is not used: a listener runs after its acknowledgement and not at all where `auth.test` fails,
and both would lose events. Nothing on the way in needs the network, so a failing `auth.test` loses none.

Sources: docs.slack.dev, "Verifying requests from Slack", "The Events API", "Using Socket Mode",
"block_actions payload", "message event", "Formatting message text", "chat.postMessage", "Working with files".
"""

from adapters.channels.slack.channel import Settings, connect

__all__ = ["Settings", "connect"]
