"""Who speaks in a conversation, and what a person must do there. Pure.

speaking   what a staff act does to the holder and the case
files      how a case is opened, asked again and kept on its clocks
ladder     who is called until somebody acknowledges it
rota       who works when, and which queue a case belongs to
"""

from bot.handoff.rota import Rules
from bot.handoff.speaking import PERSON, Handed, act, held_by_person, settle

__all__ = ["PERSON", "Handed", "Rules", "act", "held_by_person", "settle"]
