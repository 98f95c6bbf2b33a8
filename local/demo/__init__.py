"""The demo: a day of calls in a minute, with everything that may go wrong going wrong."""
