"""A simulation of one to a thousand Tritons: the bridge's own balancer on SimPy's clock, fed with measured costs."""
