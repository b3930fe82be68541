"""Which writes a webhook or policy looks at: rules, selectors, conditions."""
