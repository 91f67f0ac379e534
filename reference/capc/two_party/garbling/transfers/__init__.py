"""Oblivious transfer: base transfers, trees and extensions, and what shows that an evaluator's are consistent."""
