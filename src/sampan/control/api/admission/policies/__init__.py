"""ValidatingAdmissionPolicy and MutatingAdmissionPolicy: rules about writes, in CEL."""
