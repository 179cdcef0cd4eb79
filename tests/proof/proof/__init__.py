"""Symbolic execution of the routines of the shipped library that handle secrets of an attacker."""
