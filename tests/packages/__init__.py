"""Tests of CVPM's repository component."""
