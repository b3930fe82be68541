"""From the body of a write to the store: decoding, the rules of each verb, and the last stages."""
