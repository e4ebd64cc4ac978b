"""CVPM's repository component: packages found, fetched, checked, installed, removed."""
