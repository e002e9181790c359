"""Tables, migrations, and one transaction inside one environment; nothing decides here."""
