"""ResourceQuotas: what a namespace uses, charged before each write and counted anew after it."""
